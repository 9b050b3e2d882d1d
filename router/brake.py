"""
Make durable what was stopped: in a file at once, in the registry as soon as it answers.

The workers take a challenger off by themselves and say so on the board. What the registry
could not be told is kept in the file that also stops the challenger, and is told by itself,
by this process or by the next one.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from registry.assignment import TOTAL
from registry.errors import Refusal, StageConflict
from registry.records.incident import IncidentKind
from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan
from registry.store.registry import Registry
from router.board import Board
from router.lastgood import Override, override_by, overrides, stop_challengers
from router.report import Report, Seen, Stop

log = logging.getLogger("understudy.control")
RETRY_S = 1.0
_TOLD = 300
"""Characters of a reason that the workers are told; the registry gets all of it."""


class Teller(Protocol):
    """Keeps what people want to know."""

    def __call__(self, model: str, kind: str, said: str, *, once: bool = False) -> None:
        """Keep it; if *once*, only if it was not said before."""


class Brake:
    """
    Holds challengers off until the registry knows of it, and pauses a ramp whose champion fails.

    Args:
        run_dir: Folder of the board; overrides are in `plans` below it.
        registry: Gives the registry, or refuses while it is away.
        now: The clock of a model.
        tell: Keeps notes.
    """

    def __init__(
        self, run_dir: Path, registry: Callable[[], Registry], now: Callable[[str], datetime], tell: Teller
    ) -> None:
        self._registry, self._now, self._tell = registry, now, tell
        self._plans_dir = run_dir / "plans"
        self._board = Board.join(run_dir, "control")
        self._owed = overrides(self._plans_dir)
        self._done: dict[tuple[str, str], int] = {}
        self._retry_at: dict[str, float] = {}
        self._following, self._writing = threading.Lock(), threading.Lock()
        if self._board.inherited is not None:
            self._listen([self._board.inherited])

    def hold(self, model: str, override: Override) -> None:
        """Challengers off on this machine, now; waits for no registry and needs no room on the disk."""
        self._retry_at[model] = time.monotonic() + RETRY_S  # whoever calls this tells the registry first
        self._owe(model, override)
        self._publish()
        try:
            stop_challengers(self._plans_dir, model, override)
        except OSError as error:
            log.warning("the challengers of %s are stopped by the board only: %s", model, error)

    def holds(self, plan: TrafficPlan) -> bool:
        """Whether the challengers of this plan are off already, and the registry will be told."""
        owed = self._owed.get(plan.model)
        return owed is not None and owed.holds(plan)

    def settle(self, model: str, epoch: int) -> None:
        """The registry knows of everything up to this epoch."""
        self._done[model, "stop"] = max(epoch, self._done.get((model, "stop"), 0))
        owed = self._owed.get(model)
        if owed is not None and owed.epoch <= epoch:
            del self._owed[model]

    def owe(self, model: str, epoch: int, reason: str, error: Refusal) -> None:
        """Say once that the registry does not know yet."""
        self._retry_at[model] = time.monotonic() + RETRY_S
        self._tell(model, "stopped", f"epoch {epoch}: {reason}; not in the registry yet: {error}", once=True)

    def follow(self) -> None:
        """One look at the board and at what is owed; does nothing while another one is under way."""
        if not self._following.acquire(blocking=False):
            return
        try:
            alerts = self._listen([seen.report for seen in self.seen()])
            self._publish()
            for model, override in list(self._owed.items()):
                if time.monotonic() >= self._retry_at.get(model, 0.0):
                    self._make_good(model, override)
            for model, alert in alerts.items():
                if time.monotonic() >= self._retry_at.get(model, 0.0):
                    self._pause(model, alert)
        finally:
            self._following.release()

    def seen(self) -> list[Seen]:
        """Every process on the board."""
        with self._writing:
            return self._board.read()

    def _listen(self, reports: list[Report]) -> dict[str, Stop]:
        for report in reports:
            for model, stop in report.stops.items():
                if stop.epoch > self._done.get((model, "stop"), 0):
                    self._owe(model, override_by(stop))
        return _newest(
            (model, alert)
            for report in reports
            for model, alert in report.alerts.items()
            if alert.epoch > self._done.get((model, "alert"), 0)
        )

    def _owe(self, model: str, override: Override) -> None:
        owed = self._owed.get(model)
        if owed is None or owed.stop.rank < override.stop.rank:
            self._owed[model] = override

    def _publish(self) -> None:
        stops = {
            model: msgspec.structs.replace(owed.stop, reason=owed.reason[:_TOLD])
            for model, owed in list(self._owed.items())
        }
        with self._writing:
            self._board.publish(Report(stops=stops))

    def _make_good(self, model: str, override: Override) -> None:
        try:
            plan = self._registry().plan(model)
            if plan is not None and override.applies(plan):
                self._keep(model, override)
                to = override.restore or None
                take_off(self._registry(), plan, override.actor, override.reason, self._now(model), to=to)
                self._tell(model, "rolled_back", f"{override.reason} (by {override.actor})")
        except Refusal as error:
            self.owe(model, override.epoch, override.reason, error)
            return
        self.settle(model, override.epoch)

    def _keep(self, model: str, override: Override) -> None:
        """On disk, so that a killed process forgets nothing; the board has it anyway."""
        try:
            if overrides(self._plans_dir).get(model) != override:
                stop_challengers(self._plans_dir, model, override)
        except OSError as error:
            log.warning("what stopped %s could not be kept: %s", model, error)

    def _pause(self, model: str, alert: Stop) -> None:
        try:
            plan = self._registry().plan(model)
            if plan is not None and alert.holds(plan):
                if plan.challengers and not plan.paused:
                    self._registry().publish_plan(_paused(plan, alert.reason, self._now(model)))
                if not (plan.paused and plan.actor == "router"):  # then it was told before
                    self._tell(model, "champion_failing", f"epoch {alert.epoch}: {alert.reason}", once=True)
        except Refusal as error:
            self._retry_at[model] = time.monotonic() + RETRY_S
            log.warning("the ramp of %s could not be paused yet: %s", model, error)
            return
        self._done[model, "alert"] = alert.epoch


def take_off(
    registry: Registry, plan: TrafficPlan, actor: str, reason: str, at: datetime, *, to: str | None = None
) -> TrafficPlan:
    """
    Roll challengers of *plan* back, or its champion if *to* names the former one; somebody else may have been first.

    Raises:
        Refusal: If the registry does not answer, or a new plan came in between.
        StageConflict: If the former champion cannot come back.
    """
    if to is not None:
        newest = registry.plan(plan.model)
        if newest is not None and (newest.epoch > plan.epoch or newest.version_of(CHAMPION) == to):
            return newest
        kind: IncidentKind = "watch" if actor == "router" else "person"
        return registry.roll_back(
            plan.model, to=to, actor=actor, reason=reason, at=at, kind=kind, facts={"phase": plan.phase}
        )
    try:
        # Naming the champion: without a name, a second rollback would take the champion's place away as well.
        return registry.roll_back(plan.model, to=plan.version_of(CHAMPION), actor=actor, reason=reason, at=at)
    except StageConflict:
        newest = registry.plan(plan.model)
        if newest is None or newest.epoch > plan.epoch:
            return newest or plan
        return registry.publish_plan(_champion_only(plan, actor, reason, at))


def _champion_only(plan: TrafficPlan, actor: str, reason: str, at: datetime) -> TrafficPlan:
    return msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        phase=f"back-{plan.epoch + 1}",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version=plan.version_of(CHAMPION)),),
        shadows=(),
        forced={variant: keys for variant, keys in plan.forced.items() if variant == CHAMPION},
        created_at=at,
        actor=actor,
        reason=reason,
    )


def _paused(plan: TrafficPlan, reason: str, at: datetime) -> TrafficPlan:
    return msgspec.structs.replace(
        plan, epoch=plan.epoch + 1, paused=True, created_at=at, actor="router", reason=reason
    )


def _newest(said: Iterable[tuple[str, Stop]]) -> dict[str, Stop]:
    found: dict[str, Stop] = {}
    for model, stop in said:
        if model not in found or found[model].epoch < stop.epoch:
            found[model] = stop
    return found
