"""Follow the registry; swap a snapshot only when everything it needs is loaded."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from msgspec import UnsetType

from registry.errors import InvalidRecord, NotFound, Refusal
from registry.records.plan import CHAMPION, Arm, TrafficPlan
from registry.records.version import ModelVersion
from router.breaker import Breaker
from router.lastgood import Kept, Override, keep, override_of, recall
from router.models import Loaded, ModelCache, Snapshot
from router.report import Stop

log = logging.getLogger("understudy.router")
RETRY_S = 2.0


class PlanSource(Protocol):
    """Where plans come from; `registry.reader.PlanReader`, or a fake."""

    def changed(self) -> bool:
        """Whether anything may have changed since the last call."""

    def models(self) -> list[str]:
        """Models that have a plan."""

    def plan(self, model: str) -> TrafficPlan | None:
        """The newest plan."""

    def version(self, model: str, version: str) -> ModelVersion | None:
        """One version."""


class PlanWatcher:
    """
    Keep one snapshot per model.

    Attributes:
        snapshots: What requests see; replaced whole, never changed.
        troubles: Why this worker is degraded, by model; "registry" for the database.
    """

    def __init__(
        self,
        source: PlanSource,
        cache: ModelCache,
        folder: Path,
        *,
        every: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._cache, self._folder, self._every, self._clock = source, cache, folder, every, clock
        self.snapshots: dict[str, Snapshot] = {}
        self._stops: dict[str, Stop] = {}
        self.troubles: dict[str, str] = {}
        self._swapping = threading.Lock()
        self._behind = True
        self._retry_at = 0.0

    def start_from_last_good(self) -> None:
        """Answer by what was good last, before the registry is asked."""
        for kept in recall(self._folder):
            self._try(kept.plan.model, kept.plan, kept.versions)

    async def watch(self) -> None:
        """Poll for ever; nothing that goes wrong here ends it."""
        while True:
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                log.exception("plans could not be refreshed")
            await asyncio.sleep(self._every)

    def stop(self, model: str, stop: Stop) -> None:
        """Take the challengers of all plans up to an epoch off, from the next request on."""
        self._stops[model] = stop
        if model in self.snapshots:
            self._obey(model)

    def refresh(self) -> None:
        """One look at registry and overrides."""
        try:
            if self._source.changed() or self._behind or self._retries():
                self._behind = True
                for model in self._source.models():
                    self._follow(model)
                self._behind = False
            self.troubles.pop("registry", None)
        except Refusal as error:
            self.troubles["registry"] = str(error)
        for model in list(self.snapshots):
            self._obey(model)

    def _retries(self) -> bool:
        # Loading what was refused costs the callers' time; whoever mends it can wait a moment.
        due = bool(self.troubles) and self._clock() >= self._retry_at
        if due:
            self._retry_at = self._clock() + RETRY_S
        return due

    def _follow(self, model: str) -> None:
        current = self.snapshots.get(model)
        try:
            plan = self._source.plan(model)
            if plan is None:
                return
            if current is not None and plan.epoch <= current.plan.epoch:
                self.troubles.pop(model, None)
                return
            names = {*(arm.version for arm in plan.arms), *plan.shadows, *_former_of(plan)}
            versions = {name: found for name in names if (found := self._source.version(model, name)) is not None}
        except InvalidRecord as error:  # one model's broken record is no reason to leave the others behind
            self._refuse(model, f"its newest plan was refused: {error}")
            return
        self._try(model, plan, versions)

    def _try(self, model: str, plan: TrafficPlan, versions: dict[str, ModelVersion]) -> None:
        try:
            found = self._snapshot(plan, versions)
            kept = override_of(self._folder, model)
            with self._swapping:  # what is off already never comes on, not even until the next look
                self.snapshots[model] = self._as_told(found, kept)
        except Exception as error:  # noqa: BLE001 - a bad artifact must not take the last good plan away
            self._refuse(model, f"its plan of epoch {plan.epoch} was refused: {error}")
            return
        self.troubles.pop(model, None)
        try:
            keep(self._folder, Kept(plan=plan, versions=versions))
        except OSError as error:
            log.warning("the last good plan of %s could not be kept: %s", model, error)

    def _refuse(self, model: str, why: str) -> None:
        if self.troubles.get(model) != why:  # it is tried again and again; once is enough to say so
            log.warning("%s: %s", model, why)
        self.troubles[model] = why

    def _snapshot(self, plan: TrafficPlan, versions: dict[str, ModelVersion]) -> Snapshot:
        unknown = sorted({arm.version for arm in plan.arms} - set(versions))
        if unknown:
            raise NotFound(
                "The plan was refused.", f"The registry holds no {', '.join(unknown)}.", "Register it first."
            )
        loaded = {arm.variant: self._cache.get(versions[arm.version]) for arm in plan.arms}
        assert CHAMPION in loaded
        breakers = {arm.variant: self._breaker(plan, arm) for arm in plan.challengers}
        return Snapshot(plan, loaded, breakers, former=self._former(plan, versions))

    def _former(self, plan: TrafficPlan, versions: dict[str, ModelVersion]) -> Loaded | None:
        """Of a champion that is watched; one that cannot be loaded is no reason to refuse the plan."""
        known = None if isinstance(plan.watch, UnsetType) else versions.get(plan.watch.former)
        if known is None:
            return None
        try:
            return self._cache.get(known)
        except Exception as error:  # noqa: BLE001 - callers are answered by the new champion all the same
            log.warning("%s: the former champion %s is not warm: %s", plan.model, known.version, error)
            return None

    def _breaker(self, plan: TrafficPlan, arm: Arm) -> Breaker:
        """The one before, with what it knows, while it is about the same version in the same phase."""
        before, guards = self.snapshots.get(plan.model), plan.guards
        if (
            before is not None
            and arm in before.plan.arms
            and (before.plan.phase, before.plan.guards) == (plan.phase, guards)
        ):
            return before.breakers[arm.variant]
        return Breaker(guards.breaker_failures, guards.breaker_open_s, self._clock)

    def _obey(self, model: str) -> None:
        kept = override_of(self._folder, model)
        with self._swapping:  # the watch runs beside the requests, and a stop may come from either
            snapshot = self.snapshots[model]
            told = self._as_told(snapshot, kept)
            if told is not snapshot:
                self.snapshots[model] = told

    def _as_told(self, snapshot: Snapshot, kept: Override | None) -> Snapshot:
        """The same one, unless somebody was taken off since."""
        said = (self._stops.get(snapshot.plan.model), None if kept is None else kept.stop)
        stops = [stop for stop in said if stop is not None and stop.holds(snapshot.plan)]
        if snapshot.former is not None:
            for stop in stops:
                if stop.restores(snapshot.plan):
                    return snapshot.back(stop.reason)
        stopped = stops[0].reason if stops else None
        return snapshot if stopped == snapshot.stopped else replace(snapshot, stopped=stopped)


def _former_of(plan: TrafficPlan) -> tuple[str, ...]:
    return () if isinstance(plan.watch, UnsetType) else (plan.watch.former,)
