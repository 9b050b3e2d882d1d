"""What control does all the time: ingest, watch the guards, roll back."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import UNSET, UnsetType

from registry.errors import Refusal, StoreUnavailable
from registry.home import Settings
from registry.records.live import ModelMetrics, PhaseMetrics
from registry.records.plan import CHAMPION, TrafficPlan
from registry.store.registry import Registry
from router.brake import Brake, take_off
from router.clocks import Clocks
from router.guards import falls_behind, trips
from router.index.ingest import Ingest
from router.index.metrics import MetricsReader
from router.index.schema import open_index, open_readonly
from router.known import Known
from router.lastgood import Override
from router.notes import Notes
from router.report import Seen

log = logging.getLogger("understudy.control")
QUICK_S = 0.25
FOLLOW_S = 0.1
REST = 4.0  # times what a slower look at the guards took
STUMBLED_S = 1.0


class Keeper:
    """
    The one writer of the index, and the hand on the brake.

    Args:
        open_registry: Opens the registry; may refuse, and is asked again later.
    """

    def __init__(self, settings: Settings, open_registry: Callable[[], Registry]) -> None:
        self._index_file = settings.home / "index.sqlite"
        self._known = Known(open_registry, settings.run_dir / "plans")
        self._clocks = Clocks(self._known.last_plan)
        self._events_dir = settings.events_dir
        self._index_away: str | None = None
        self._open_index_at = 0.0
        try:
            self._use(open_index(self._index_file))
        except (sqlite3.Error, OSError) as error:  # a full disk: a rollback and the board need none of it
            self._index_away = str(error)
            self._use(open_index(Path(":memory:")))
            log.error("the index %s cannot be opened yet: %s", self._index_file, error)
        self._notes = Notes(lambda model: self.now(model).timestamp())
        self._owed: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self._lock = threading.RLock()
        self._brake = Brake(settings.run_dir, self.registry, self.now, self.note)

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; nothing that goes wrong here ends it."""
        with suppress(Refusal):
            self.registry()  # made on a fresh machine, so that the router finds one
        threading.Thread(target=self._follow, args=(stop,), daemon=True, name="brake").start()
        while not stop.is_set():
            try:
                busy = self.turn()
            except Exception:
                log.exception("control stumbled; trying again")
                busy = False
                stop.wait(STUMBLED_S)
            stop.wait(0.0 if busy else 0.05)

    def turn(self) -> bool:
        """Follow the workers, ingest what came, then look at the guards; True if something came."""
        self._brake.follow()
        if self._index_away is not None and not self._opened():
            return False
        came = self._catch_up()
        with self._lock:
            self._notes.keep(self._db)
            dirty = set(self._ingest.dirty)
            self._ingest.dirty.clear()
            models = {model for model, *_ in dirty}
            for model in models:
                self._clocks.set(model, self._db)
            for model in self._due(models):
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
                took = next(bites, 0)
                self._metrics.forget(self._ingest.dirty)  # at once: whoever reads next must not keep what was before
                if not took:
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
        self._refuse_without_index()
        with self._lock:
            plan = self.plan(model)
            return self._metrics.model(model, plan.epoch, min_label_age=min_label_age)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """
        A connection for one reader.

        Raises:
            StoreUnavailable: If the index could not be opened yet.
        """
        self._refuse_without_index()
        connection = open_readonly(self._index_file)
        try:
            yield connection
        finally:
            connection.close()

    def registry(self) -> Registry:
        """The registry, opened when first needed."""
        return self._known.registry()

    def plan(self, model: str) -> TrafficPlan:
        """The newest plan; the last one seen while the registry is away."""
        return self._known.plan(model)

    def roll_back(self, model: str, *, actor: str, reason: str, to: str | None = None) -> TrafficPlan:
        """
        Challengers off at once on this machine, then in the registry.

        Raises:
            Refusal: If the registry refused. If it is away, the challengers are off all the same, and
                it is told by itself as soon as it is back.
        """
        plan = self.plan(model)
        if to is None and (plan.challengers or plan.watch):
            return self._take_off(plan, actor, reason)
        new = self.registry().roll_back(model, to=to, actor=actor, reason=reason, at=self.now(model))
        self.note(model, "rolled_back", f"{reason} (by {actor})")
        return new

    def hold(self, plan: TrafficPlan, actor: str, reason: str, *, restore: str | None = None) -> None:
        """
        Take the challengers of *plan* off on this machine, now; the registry is told by `roll_back`, or later.

        Without any, or if *restore* names it, a champion that is being watched gives way to the one before.
        """
        override = Override(
            epoch=plan.epoch,
            reason=reason,
            actor=actor,
            rollout=plan.rollout_id,
            restore=restore or _restored_by(plan),
        )
        self._brake.hold(plan.model, override)

    def now(self, model: str) -> datetime:
        """The model's clock: the wall clock, unless its requests have a time of their own, as in a replay."""
        return self._clocks.now(model, self._db)

    def seen(self) -> list[Seen]:
        """Every process of this machine that is on the board, with what it tells."""
        return self._brake.seen()

    def note(self, model: str, kind: str, said: str, *, once: bool = False) -> None:
        """
        Keep something that people want to know; if *once*, only if it was not said before.

        Whoever makes a rollback does not wait for statistics: while they are made, the note is kept for later.
        """
        self._notes.leave(model, kind, said, once=once)
        if self._index_away is None and self._lock.acquire(blocking=False):
            try:
                self._notes.keep(self._db)
            finally:
                self._lock.release()

    def notes(self, model: str, limit: int) -> list[dict[str, Any]]:
        """Notes, newest first."""
        self._refuse_without_index()
        with self._lock:
            self._notes.keep(self._db)
            return self._notes.newest(self._db, model, limit)

    def _use(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ingest = Ingest(db, self._events_dir)
        self._metrics = MetricsReader(db, self._known.task_of, self._known.weights_of)

    def _opened(self) -> bool:
        """Whether the index can be used again; tried once a second."""
        if time.monotonic() < self._open_index_at:
            return False
        self._open_index_at = time.monotonic() + STUMBLED_S
        with suppress(sqlite3.Error, OSError), self._lock:
            self._use(open_index(self._index_file))
            self._index_away = None
            log.info("the index is open again")
        return self._index_away is None

    def _refuse_without_index(self) -> None:
        if self._index_away is not None:
            raise StoreUnavailable(
                "Nothing was read.",
                f"The index {self._index_file} cannot be opened: {self._index_away}.",
                "Make room on its disk; plans, rollbacks and guards work meanwhile.",
            )

    def _guard(self, model: str) -> None:
        plan = self.plan(model)
        if not (plan.challengers or plan.watch) or self._brake.holds(plan):
            return
        phase = self._phase(model, plan)
        watched = any(seen.alive and seen.report.role == "worker" for seen in self.seen())
        reason = trips(phase, plan.guards, labels_only=watched) if plan.challengers else None
        with suppress(Refusal):  # the brake goes on trying
            if reason is not None:
                self._take_off(plan, "router", reason)
            elif plan.watch and (reason := falls_behind(phase, plan.watch)) is not None:
                said = f"champion {plan.version_of(CHAMPION)}, which is being watched: {reason}"
                self._take_off(plan, "router", said, to=plan.watch.former)

    def _take_off(self, plan: TrafficPlan, actor: str, reason: str, *, to: str | None = None) -> TrafficPlan:
        restore = to or _restored_by(plan) or None
        self.hold(plan, actor, reason, restore=restore)
        try:
            new = take_off(self.registry(), plan, actor, reason, self.now(plan.model), to=restore)
        except Refusal as error:
            self._brake.owe(plan.model, plan.epoch, reason, error)
            raise
        self._brake.settle(plan.model, plan.epoch)
        self.note(plan.model, "rolled_back", f"{reason} (by {actor})")
        return new

    def _follow(self, stop: threading.Event) -> None:
        """Beside the turns: what the workers have stopped waits for no statistics."""
        while not stop.wait(FOLLOW_S):
            try:
                self._brake.follow()
            except Exception:
                log.exception("the board could not be followed; trying again")
                stop.wait(STUMBLED_S)

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


def _restored_by(plan: TrafficPlan) -> str | UnsetType:
    """Who comes back if *plan* is rolled back: the former champion, where nobody is tried and it is kept warm."""
    return UNSET if plan.challengers or isinstance(plan.watch, UnsetType) else plan.watch.former
