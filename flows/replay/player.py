"""Play stop after stop: send, deliver, tick, monitor, wait; every step may be repeated."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from flows.config.model import ModelConfig
from flows.replay.bad import Seen, inject, is_bad
from flows.replay.batches import Batch
from flows.replay.books import prediction_id
from flows.replay.live import Live
from flows.replay.progress import Answer, Journal, Progress
from flows.replay.retraining import pending, settle
from flows.replay.scores import primary, quality
from flows.replay.signing import stand_ins
from flows.replay.source import Table, outcome
from flows.replay.timetable import Stop, arrived
from registry.errors import Refusal
from registry.records.live import Outcome
from registry.records.rollout import Rollout, Step

MONITOR = "flows.detection.monitor.monitor"
ROLLOUT = "flows.rollout.rollout.rollout"
WATCH = "flows.rollout.watch.flow.watch"
RETRAIN = "flows.training.retrain.retrain"
_MOST_OUTCOMES = 1000
_RECENT = 1000
_SEEN = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How a table is played.

    Attributes:
        name: Of the replay; also the model's name in the registry.
        first: Share of rows that trains the first champion.
        limit: Only the first so many rows.
        bad_at: Share of the played rows after which a bad challenger is injected.
        bad_steps: Steps of its rollout; the configured ones if None.
        approve: Agree in the name of both roles when a rollout asks people.
        ticks: Stops per batch, at least.
    """

    name: str
    batch: Batch
    first: float = 0.1
    limit: int | None = None
    bad_at: float | None = None
    bad_steps: tuple[Step, ...] | None = None
    approve: bool = True
    ticks: int = 4


class Scene(NamedTuple):
    """
    What a progress bar shows.

    Attributes:
        quality: Of the newest labelled predictions, e.g. ("accuracy", 0.81); nan before the first.
        split: Share of each version, e.g. {"v1.0.0": 0.9, "v1.1.0": 0.1}.
    """

    done: int
    rows: int
    now: datetime
    quality: tuple[str, float]
    split: dict[str, float]


class Audience(Protocol):
    """Who is told."""

    def told(self, said: str) -> None:
        """Hear one sentence about something notable."""

    def saw(self, scene: Scene) -> None:
        """See where the replay stands."""


class Player:
    """Play one table; everything it knows is in the journal, the registry and the router."""

    def __init__(
        self,
        *,
        options: Options,
        config: ModelConfig,
        table: Table,
        stops: Sequence[Stop],
        live: Live,
        journal: Journal,
        progress: Progress,
        audience: Audience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._config, self._table, self._stops = options, config, table, stops
        self._live, self._journal, self._audience, self._clock = live, journal, audience, clock
        self.progress = progress
        self._predictions, self._scores = np.full(len(table), np.nan), np.full(len(table), np.nan)
        self._remember(journal.answers(progress))
        self._last, self._shown = clock(), ""

    def play(self) -> Progress:
        """Go on until everything is sent and every label is delivered."""
        self._first_champion()
        settle(self._live, self._audience.told)
        for stop in self._stops[self.progress.stop :]:
            self._at(stop)
        self._deliver(float(self._table.times[-1]) + self._delay)
        return self.progress

    @property
    def _delay(self) -> float:
        return self._config.data.label_delay.total_seconds()

    def _first_champion(self) -> None:
        if self._live.registry.champion(self._config.model) is None:
            at = moment(float(self._table.times[self.progress.start - 1]))
            self._audience.told(f"training the first champion on {self.progress.start} rows, until {at:%Y-%m-%d}")
            begun = pending(self._live)  # by a replay that was killed while it trained
            self._live.flow(
                RETRAIN,
                model=self._config.model,
                event_id=begun.id if begun else None,
                trigger="initial",
                actor="replay",
                reason=f"first {self.progress.start} rows of the replay",
                as_of=at,
            )
        self._live.follow_plan()

    def _at(self, stop: Stop) -> None:
        self._send(stop)
        self._deliver(stop.now)
        self._roll(stop.now)
        self._watch(stop.now)
        self._sabotage(stop)
        if stop.ends_batch:
            self._monitor(stop.now)
        self._note(stop=self.progress.stop + 1)
        self._audience.saw(self._scene(stop))

    def _send(self, stop: Stop) -> None:
        rows = range(max(stop.first, self.progress.sent), stop.last)
        if not rows:
            return
        said = self._live.predict([self._request(row) for row in rows])
        classes = self._config.data.classes
        answers = [Answer.of(row, one, classes) for row, one in zip(rows, said, strict=True)]
        self.progress = self._journal.keep(self.progress, answers)
        self._remember(answers)

    def _request(self, row: int) -> dict[str, Any]:
        return {
            "id": prediction_id(self._options.name, row),
            "key": self._table.keys[row],
            "time": float(self._table.times[row]),
            "features": self._table.features[row],
        }

    def _deliver(self, now: float) -> None:
        known = min(arrived(self._table.times, self._delay, now), self.progress.sent)
        while self.progress.labelled < known:
            last = min(self.progress.labelled + _MOST_OUTCOMES, known)
            outcomes = [one for row in range(self.progress.labelled, last) for one in self._outcomes(row)]
            refused = [one for one in self._live.deliver(outcomes) if one.status not in ("accepted", "duplicate")]
            said = refused[-1].said if refused else self.progress.refusal
            self._note(labelled=last, refused=self.progress.refused + len(refused), refusal=said)

    def _outcomes(self, row: int) -> list[Outcome]:
        identity, time = prediction_id(self._options.name, row), float(self._table.times[row]) + self._delay
        return [outcome(identity, metric, value, time) for metric, value in self._table.outcomes(row).items()]

    def _roll(self, now: float) -> None:
        rollout = self._live.registry.active_rollout(self._config.model)
        if rollout is None:
            return
        self._live.sync()
        self._approve(rollout, moment(now))
        said = self._live.flow(ROLLOUT, model=self._config.model, as_of=moment(now)).get(self._config.model, "")
        if not said.startswith("hold"):
            self._audience.told(f"{rollout.challenger}: {said}")
        self._live.follow_plan()
        self._show_report()

    def _watch(self, now: float) -> None:
        """Look at a new champion by the clock of the table; no schedule does while a replay runs."""
        if self._live.registry.watch(self._config.model) is None:
            return
        self._live.sync()
        said = self._live.flow(WATCH, model=self._config.model, as_of=moment(now)).get(self._config.model, "")
        if not said.startswith(("hold", "none")):
            self._audience.told(said)
        self._live.follow_plan()

    def _show_report(self) -> None:
        newest = next(iter(self._live.registry.decisions(self._config.model)), None)
        if newest is None or newest.report is None or newest.report == self._shown:
            return
        self._shown = newest.report
        self._audience.told(f"report: {(self._live.settings.reports_dir / newest.report).absolute().as_uri()}")

    def _approve(self, rollout: Rollout, at: datetime) -> None:
        if rollout.status != "waiting_approval" or not self._options.approve:
            return
        for role, actor in stand_ins(rollout.gate, "replay").items():
            reason = "a replay has no people to ask"
            self._live.registry.sign(rollout.id, actor=actor, role=role, reason=reason, at=at, via="replay")
        self._audience.told(f"{rollout.id} asked for approval; the replay agreed")

    def _sabotage(self, stop: Stop) -> None:
        if self._options.bad_at is None or not self._due(stop) or self._sabotaged():
            return
        try:
            rollout = inject(
                self._live.settings,
                self._live.registry,
                self._config,
                at=moment(stop.now),
                steps=self._options.bad_steps,
                seen=self._seen(),
            )
        except Refusal as refusal:
            self._audience.told(f"the bad challenger was refused: {refusal}")
            return
        self._audience.told(f"{rollout.challenger} is deliberately bad; its rollout {rollout.id} begins")
        self._roll(stop.now)

    def _seen(self) -> Seen:
        """Newest rows whose label has arrived."""
        first = max(0, self.progress.labelled - _SEEN)
        rows = [row for row in range(first, self.progress.labelled) if not np.isnan(self._table.labels[row])]
        return Seen([self._table.features[row] for row in rows], self._table.labels[rows])

    def _due(self, stop: Stop) -> bool:
        played = (stop.last - self.progress.start) / (len(self._table) - self.progress.start)
        active = self._live.registry.active_rollout(self._config.model)
        return active is None and played >= (self._options.bad_at or 0.0)

    def _sabotaged(self) -> bool:
        registry, model = self._live.registry, self._config.model
        bad = {version.version for version in registry.versions(model) if is_bad(version)}
        return any(rollout.challenger in bad for rollout in registry.rollouts(model))

    def _monitor(self, now: float) -> None:
        self._live.sync()
        self._live.flow(MONITOR, model=self._config.model, as_of=moment(now))
        for event in settle(self._live, self._audience.told):
            made = event.retrained_version or event.notes or "nothing"
            self._audience.told(f"{event.id} made {made}: {event.notes}" if event.notes else f"{event.id} made {made}")
            self._show_report()
            self._roll(now)

    def _note(self, **changes: Any) -> None:
        now = self._clock()
        seconds, self._last = self.progress.seconds + now - self._last, now
        self.progress = self._journal.write(msgspec.structs.replace(self.progress, seconds=seconds, **changes))

    def _remember(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._predictions[answer.row] = answer.prediction
            self._scores[answer.row] = answer.prediction if answer.score is None else answer.score

    def _scene(self, stop: Stop) -> Scene:
        rows = slice(max(self.progress.start, self.progress.labelled - _RECENT), self.progress.labelled)
        task, metric = self._config.task, primary(self._config.task, self._config.promotion.metric)
        known = ~np.isnan(self._table.labels[rows])
        found = quality(
            task, self._table.labels[rows][known], self._predictions[rows][known], self._scores[rows][known]
        )
        plan = self._live.registry.plan(self._config.model)
        split = {arm.version: plan.weight_of(arm.variant) / 1_000_000 for arm in plan.arms} if plan else {}
        return Scene(
            stop.last - self.progress.start,
            len(self._table) - self.progress.start,
            moment(stop.now),
            (metric, found[metric]),
            split,
        )


def moment(seconds: float) -> datetime:
    """Turn epoch seconds into a moment, UTC."""
    return datetime.fromtimestamp(seconds, UTC)
