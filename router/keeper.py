"""What control does all the time: ingest, watch the guards, roll back."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from registry.assignment import TOTAL
from registry.errors import Refusal, StageConflict
from registry.home import Settings
from registry.records.live import ModelMetrics, PhaseMetrics
from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan
from registry.records.version import ModelVersion, Task
from registry.store.registry import Registry
from router.guards import trips
from router.index.ingest import Ingest
from router.index.metrics import MetricsReader
from router.index.schema import open_index, open_readonly
from router.lastgood import Override, recall, stop_challengers

log = logging.getLogger("understudy.control")
QUICK_S = 0.25
REST = 4.0  # times what a slower look at the guards took


class Keeper:
    """
    The one writer of the index, and the hand on the brake.

    Args:
        open_registry: Opens the registry; may refuse, and is asked again later.
    """

    def __init__(self, settings: Settings, open_registry: Callable[[], Registry]) -> None:
        self._open_registry = open_registry
        self._index_file = settings.home / "index.sqlite"
        self._plans_dir = settings.run_dir / "plans"
        self._db = open_index(self._index_file)
        self._ingest = Ingest(self._db, settings.events_dir)
        self._metrics = MetricsReader(self._db, self._task_of, self._weights_of)
        self._registry: Registry | None = None
        self._plans: dict[str, TrafficPlan] = {}
        self._weights: dict[tuple[str, str], dict[str, int]] = {}
        self._tasks: dict[str, Task] = {}
        self._pending: dict[str, tuple[str, str]] = {}  # phase and reason of a rollback that the registry lacks
        self._owed: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self._lock, self._door = threading.RLock(), threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; nothing that goes wrong here ends it."""
        with suppress(Refusal):
            self.registry()  # made on a fresh machine, so that the router finds one
        while not stop.is_set():
            try:
                busy = self.turn()
            except Exception:
                log.exception("control stumbled; trying again")
                busy = False
            stop.wait(0.0 if busy else 0.05)

    def turn(self) -> bool:
        """Ingest what came, then look at the guards; True if something came."""
        came = self._catch_up()
        with self._lock:
            dirty = set(self._ingest.dirty)
            self._ingest.dirty.clear()
            self._metrics.forget(dirty)
            for model in self._due({model for model, *_ in dirty} | set(self._pending)):
                began = time.thread_time()
                try:
                    self._guard(model)
                except Refusal as error:  # of this model only; its next event tries again
                    log.warning("the guards of %s saw nothing: %s", model, error)
                spent = time.thread_time() - began
                if spent > QUICK_S:
                    self._rests_until[model] = time.monotonic() + REST * spent
            return came

    def _due(self, models: set[str]) -> set[str]:
        # Statistics of a long phase take seconds, and the lock with them: most of the time is left to others.
        self._owed |= models
        due = {model for model in self._owed if time.monotonic() >= self._rests_until.get(model, 0.0)}
        self._owed -= due
        return due

    def _catch_up(self) -> bool:
        came, bites = False, self._ingest.bites()
        while True:
            with self._lock:
                if not next(bites, 0):
                    return came
            came = True
            time.sleep(0.001)  # a rollback that waits for the lock comes before the rest of a long log

    def sync(self, model: str, timeout: float = 10.0, *, min_label_age: float = 0.0) -> ModelMetrics:
        """Everything written so far is ingested and joined, shadow copies included."""
        deadline = time.monotonic() + timeout
        while True:
            self.turn()
            if not self._outstanding(model) or time.monotonic() > deadline:
                return self.metrics(model, min_label_age)
            time.sleep(0.02)

    def metrics(self, model: str, min_label_age: float = 0.0) -> ModelMetrics:
        """The metrics document of one model; labels of requests younger than so many seconds are left out."""
        with self._lock:
            plan = self.plan(model)
            return self._metrics.model(model, plan.epoch, min_label_age=min_label_age)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one reader."""
        connection = open_readonly(self._index_file)
        try:
            yield connection
        finally:
            connection.close()

    def registry(self) -> Registry:
        """The registry, opened when first needed."""
        with self._door:
            if self._registry is None:
                self._registry = self._open_registry()
            return self._registry

    def plan(self, model: str) -> TrafficPlan:
        """The newest plan; the last one seen while the registry is away."""
        try:
            found = self.registry().plan(model)
        except Refusal:
            if model not in self._plans:
                self._plans.update({kept.plan.model: kept.plan for kept in recall(self._plans_dir)})
            found = self._plans.get(model)
        if found is None:
            from router.errors import UnknownModel

            raise UnknownModel(f"There is no model {model!r}.", "It has no traffic plan.", "See `understudy models`.")
        self._plans[model] = found
        self._weights[model, found.phase] = {arm.variant: found.weight_of(arm.variant) for arm in found.arms}
        return found

    def roll_back(self, model: str, *, actor: str, reason: str, to: str | None = None) -> TrafficPlan:
        """Challengers off at once by a local file, then in the registry; the file works without it."""
        plan = self.plan(model)
        if plan.challengers and to is None:
            try:
                stop_challengers(self._plans_dir, model, Override(epoch=plan.epoch, reason=reason))
            except OSError as error:  # the disk is full; the registry may be on another
                log.warning("the challengers of %s could not be stopped here: %s", model, error)
        try:
            new = self.registry().roll_back(model, to=to, actor=actor, reason=reason, at=self.now(model))
        except StageConflict:
            if not plan.challengers or to is not None:
                raise
            # A plan that people published by hand, without a rollout: only the traffic goes back.
            new = self.registry().publish_plan(_champion_only(plan, actor, reason, self.now(model)))
        self.note(model, "rolled_back", f"{reason} (by {actor})")
        return new

    def now(self, model: str) -> datetime:
        """The model's clock: the newest event time, or the wall clock before the first."""
        row = self._db.execute(
            "SELECT time FROM predictions WHERE model = ? ORDER BY seq DESC LIMIT 1", (model,)
        ).fetchone()
        try:
            return datetime.fromtimestamp(row[0] if row else time.time(), UTC)
        except (ValueError, OverflowError, OSError):  # a time of no calendar must not hold up a rollback
            return datetime.now(UTC)

    def note(self, model: str, kind: str, said: str) -> None:
        """Keep something that people want to know."""
        log.warning("%s %s: %s", model, kind, said)
        sql = "INSERT INTO notes (model, at, kind, said) VALUES (?, ?, ?, ?)"
        try:
            with self._lock:
                self._db.execute(sql, (model, self.now(model).timestamp(), kind, said))
        except sqlite3.Error as error:  # what it tells of has happened all the same
            log.warning("it could not be noted: %s", error)

    def notes(self, model: str, limit: int) -> list[dict[str, Any]]:
        """Notes, newest first."""
        sql = "SELECT seq, at, kind, said FROM notes WHERE model = ? ORDER BY seq DESC LIMIT ?"
        with self._lock:
            rows = self._db.execute(sql, (model, limit)).fetchall()
        return [dict(zip(("sequence", "at", "kind", "said"), row, strict=True)) for row in rows]

    def _guard(self, model: str) -> None:
        plan = self.plan(model)
        phase, reason = self._pending.get(model, (None, None))
        if not plan.challengers or phase != plan.phase:
            self._pending.pop(model, None)
            reason = trips(self._phase(model, plan), plan.guards) if plan.challengers else None
        if reason is None:
            return
        try:
            self.roll_back(model, actor="router", reason=reason)
        except Refusal as error:
            if model not in self._pending:
                self.note(model, "stopped", f"{reason}; not in the registry yet: {error}")
            self._pending[model] = plan.phase, reason
            return
        self._pending.pop(model, None)

    def _phase(self, model: str, plan: TrafficPlan) -> PhaseMetrics:
        return self._metrics.phase(model, plan.phase, plan.epoch, plan.epoch)

    def _outstanding(self, model: str) -> bool:
        with self._lock:
            phase = self.plan(model).phase
            row = self._db.execute(
                "SELECT 1 FROM predictions p, json_each(p.shadows) v WHERE p.model = ?1 AND p.phase = ?2"
                " AND NOT EXISTS (SELECT 1 FROM shadows s WHERE s.model = ?1 AND s.id = p.id AND s.version = v.value)"
                " LIMIT 1",
                (model, phase),
            ).fetchone()
        return row is not None

    def _task_of(self, model: str) -> Task:
        if model not in self._tasks:
            self._tasks[model] = self._champion(model).task
        return self._tasks[model]

    def _champion(self, model: str) -> ModelVersion:
        name = self.plan(model).version_of(CHAMPION)
        try:
            return self.registry().version(model, name)
        except Refusal:
            for kept in recall(self._plans_dir):
                if kept.plan.model == model and name in kept.versions:
                    return kept.versions[name]
            raise

    def _weights_of(self, model: str, phase: str) -> dict[str, int]:
        if (model, phase) not in self._weights:
            try:
                for plan in reversed(self.registry().plans(model, limit=10_000)):
                    self._weights[model, plan.phase] = {a.variant: plan.weight_of(a.variant) for a in plan.arms}
            except Refusal:
                return {}
        return self._weights.get((model, phase), {})


def _champion_only(plan: TrafficPlan, actor: str, reason: str, at: datetime) -> TrafficPlan:
    return msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        phase=f"back-{plan.epoch + 1}",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version=plan.version_of(CHAMPION)),),
        shadows=(),
        forced={},
        created_at=at,
        actor=actor,
        reason=reason,
    )
