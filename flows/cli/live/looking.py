"""Look at a model again and again, with one connection to registry and router each."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from flows.cli.live.look import Away, Books, Event, Look, Traffic
from flows.cli.live.memory import Course, Pace
from flows.cli.standing import Seen, known, seen
from flows.client import RouterClient
from flows.config.load import registered_config
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.records.live import ModelMetrics
from registry.records.rollout import Rollout
from registry.store.registry import Registry

EVENTS = 8
PATIENCE_S = 5.0
REST = 20.0  # times as long as the router took for its counts it is left alone: at most a twentieth of a core
T = TypeVar("T")


class Watcher:
    """
    Remembers what a single look cannot know: rates, how the estimate went, and who is away since when.

    Args:
        model: Name of the model.
        registry: Of the state folder.
        client: Of its router.
    """

    def __init__(self, settings: Settings, model: str, registry: Registry, client: RouterClient) -> None:
        self._settings, self._model, self._registry, self._client = settings, model, registry, client
        self._books, self._traffic = Books(), Traffic()
        self._away: dict[str, Away] = {}
        self._troubles: dict[str, Refusal] = {}
        self._pace, self._course = Pace(), Course()
        self._rests_until = 0.0

    def look(self) -> Look:
        """Ask both; of one that is away, what it said last."""
        now = datetime.now(UTC)
        self._books = self._asked("registry", now, lambda: self._read(now)) or self._books
        self._traffic = self._asked("router", now, lambda: self._listen(now)) or self._traffic
        look = Look(model=self._model, at=now, books=self._books, traffic=self._traffic, away=dict(self._away))
        if "router" not in self._away and self._traffic.at == now:
            self._course.add(look.rollout, self._traffic.seen)
            if look.phase is not None:
                self._pace.add(look.phase)
        return dataclasses.replace(look, rates=self._pace.rates(), estimates=self._course.estimates())

    def refuse_away(self) -> None:
        """Raise what the first part that is away has said, if any is."""
        for trouble in self._troubles.values():
            raise trouble

    def _asked(self, part: str, now: datetime, ask: Callable[[], T]) -> T | None:
        try:
            found = ask()
        except Refusal as trouble:
            self._troubles[part] = trouble
            self._away.setdefault(part, Away(since=now, why=trouble.why))
            return None
        self._away.pop(part, None)
        self._troubles.pop(part, None)
        return found

    def _read(self, now: datetime) -> Books:
        registry, model = self._registry, self._model
        rollout = registry.active_rollout(model) or next(iter(registry.rollouts(model)), None)
        entries = registry.audit(model, EVENTS)
        incidents = registry.incidents(model)
        return Books(
            plan=registry.plan(model),
            known=known(registry, rollout, now) if rollout is not None else None,
            watch=registry.watch(model),
            incident=incidents[0] if incidents else None,
            events=tuple(Event(at=e.at, who=e.actor, what=e.action, said=f"{e.subject}: {e.reason}") for e in entries),
        )

    def _listen(self, now: datetime) -> Traffic:
        began = time.monotonic()
        if began < self._rests_until:
            return self._traffic
        rollout = self._books.known.rollout if self._books.known else None
        active = rollout if rollout is not None and rollout.active else None
        age = active.policy.min_label_age_s if active else 0.0
        metrics = self._client.metrics(self._model, min_label_age=age)
        notes = self._client.events(self._model, limit=EVENTS)
        self._rests_until = time.monotonic() + REST * (time.monotonic() - began)
        return Traffic(
            at=now,
            metrics=metrics,
            seen=self._judged(active, metrics, now) if active else None,
            events=tuple(_noted(one) for one in notes),
        )

    def _judged(self, rollout: Rollout, metrics: ModelMetrics, now: datetime) -> Seen | None:
        with contextlib.suppress(NotFound):  # a model without configuration is only counted
            return seen(rollout, metrics, registered_config(self._model, self._settings), now)
        return None


def _noted(one: dict[str, Any]) -> Event:
    return Event(at=datetime.fromtimestamp(one["at"], UTC), who="router", what=str(one["kind"]), said=str(one["said"]))


@contextlib.contextmanager
def watching(settings: Settings, model: str) -> Iterator[Watcher]:
    """
    Open registry and router once.

    Raises:
        Refusal: If the registry cannot be opened, or does not know the model.
    """
    with Registry.open(settings.registry_url) as registry, RouterClient(settings, timeout=PATIENCE_S) as client:
        yield Watcher(settings, model, registry, client)
