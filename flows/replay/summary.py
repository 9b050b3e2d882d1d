"""What a replay showed: records and how they are made from what is known afterwards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from flows.replay.books import Line
from flows.replay.scores import Numbers, better, quality
from flows.replay.timetable import Stop
from registry.records.base import Record
from registry.records.live import ModelMetrics, PhaseMetrics
from registry.records.plan import CHAMPION
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import Task


class Point(Record, frozen=True, kw_only=True):
    """One batch: what was served, and what the frozen first champion would have done on the same rows."""

    at: datetime
    rows: int
    served: dict[str, float]
    frozen: dict[str, float]


class Retraining(Record, frozen=True, kw_only=True):
    """One retraining; run: address of its flow run in the Prefect UI."""

    id: str
    at: datetime
    trigger: str
    reason: str
    successful: bool | None
    version: str | None
    notes: str = ""
    run: str | None = None


class Ending(Record, frozen=True, kw_only=True):
    """
    How one rollout ended.

    Attributes:
        share: The largest that its challenger was ever given.
        watched: Copies that it scored as a shadow.
        answered: Requests that it answered as a challenger.
        bad: Made bad on purpose.
    """

    id: str
    challenger: str
    champion: str
    status: str
    at: datetime
    said: str
    share: float
    watched: int = 0
    answered: int = 0
    bad: bool = False


class Rejection(Record, frozen=True, kw_only=True):
    """A challenger that no caller ever met."""

    decision: str
    challenger: str
    said: str


class Summary(Record, frozen=True, kw_only=True):
    """
    What a replay showed.

    Attributes:
        metric: The one of the curve: that of the promotion policy, else accuracy or mae.
        served, frozen: All played rows; frozen is the first champion, never retrained.
        books: Exact only if every line is.
        reports: Decision reports, as file addresses.
        waits: How often something did not answer and was waited for.
        seconds: Wall time.
    """

    name: str
    model: str
    task: Task
    metric: str
    rows: int
    batches: int
    start: datetime
    end: datetime
    served: dict[str, float]
    frozen: dict[str, float]
    series: tuple[Point, ...]
    retrainings: tuple[Retraining, ...]
    rollouts: tuple[Ending, ...]
    rejected: tuple[Rejection, ...]
    books: tuple[Line, ...]
    reports: tuple[str, ...] = ()
    pages: dict[str, str] = {}  # noqa: RUF012  msgspec copies mutable defaults
    waits: int = 0
    refusal: str = ""
    seconds: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the books balance."""
        return all(line.exact for line in self.books)

    @property
    def promotions(self) -> tuple[Ending, ...]:
        """Rollouts that ended with a new champion."""
        return tuple(one for one in self.rollouts if one.status == "succeeded")

    @property
    def rolled_back(self) -> tuple[Ending, ...]:
        """Rollouts whose challenger was taken off."""
        return tuple(one for one in self.rollouts if one.status in ("rolled_back", "aborted"))

    @property
    def paid(self) -> bool:
        """Whether the loop did better than the frozen first champion."""
        return better(self.metric, self.served[self.metric], self.frozen[self.metric])

    def to_json_document(self) -> dict[str, Any]:
        """All fields, and the verdicts drawn from them."""
        return self.to_dict() | {"exact": self.exact, "paid": self.paid, "bad_challenger_findings": self.bad_findings()}

    def bad_findings(self) -> list[str]:
        """Say what is wrong with how an injected bad challenger ended; nothing if all is well."""
        findings = []
        for one in self.rollouts:
            if one.bad and one.share >= 1:
                findings.append(f"the bad challenger {one.challenger} answered everybody")
            if one.bad and one.status != "rolled_back":
                findings.append(f"the bad challenger {one.challenger} was not rolled back: {one.status}")
        return findings


def curve(
    task: Task,
    stops: Sequence[Stop],
    *,
    labels: Numbers,
    served: tuple[Numbers, Numbers],
    frozen: tuple[Numbers, Numbers],
) -> tuple[Point, ...]:
    """
    Measure every batch.

    Args:
        task: Names the metrics.
        stops: The timetable.
        labels: Shape (n,), all rows of the table; nan where unknown.
        served: Predictions and scores, each of shape (n,).
        frozen: The same of the first champion.
    """
    points = []
    for number in range(stops[-1].batch + 1 if stops else 0):
        mine = [stop for stop in stops if stop.batch == number]
        rows = slice(mine[0].first, mine[-1].last)
        points.append(
            Point(
                at=_moment(mine[-1].now),
                rows=mine[-1].last - mine[0].first,
                served=measure(task, rows, labels, served),
                frozen=measure(task, rows, labels, frozen),
            )
        )
    return tuple(points)


def measure(task: Task, rows: slice, labels: Numbers, said: tuple[Numbers, Numbers]) -> dict[str, float]:
    """Measure some rows, those without label left out."""
    known = ~np.isnan(labels[rows])
    predictions, scores = said
    return dict(quality(task, labels[rows][known], predictions[rows][known], scores[rows][known]))


def retrainings(events: Sequence[RetrainingEvent], runs: dict[str, str]) -> tuple[Retraining, ...]:
    """Tell of every retraining after the first training, oldest first."""
    return tuple(
        Retraining(
            id=event.id,
            at=event.triggered_at,
            trigger=event.trigger_type,
            reason=event.trigger_reason,
            successful=event.execution_successful,
            version=event.retrained_version,
            notes=event.notes,
            run=runs.get(event.id),
        )
        for event in sorted(events, key=lambda one: (one.triggered_at, one.id))
        if event.trigger_type != "initial"
    )


def endings(
    rollouts: Sequence[Rollout], shares: dict[str, float], bad: frozenset[str], metrics: ModelMetrics
) -> tuple[Ending, ...]:
    """Tell of every rollout, oldest first."""
    return tuple(
        Ending(
            id=one.id,
            challenger=one.challenger,
            champion=one.champion,
            status=one.status,
            at=one.created_at,
            said=one.said,
            share=shares.get(one.challenger, 0.0),
            watched=sum(seen.scored for phase in _phases(metrics, one) for seen in phase.shadows.values()),
            answered=sum(_answered(phase) for phase in _phases(metrics, one)),
            bad=one.challenger in bad,
        )
        for one in reversed(rollouts)
    )


def rejections(decisions: Sequence[Decision]) -> tuple[Rejection, ...]:
    """Tell of every challenger that the holdout rejected, oldest first."""
    return tuple(
        Rejection(decision=one.id, challenger=one.challenger, said=one.headline)
        for one in reversed(decisions)
        if one.kind == "holdout" and one.outcome in ("reject", "invalid")
    )


def headline(summary: Summary) -> str:
    """The result in one sentence."""
    name = summary.metric
    verdict = "better" if summary.paid else "not better"
    return (
        f"{name} {summary.served[name]:.4g} served, {summary.frozen[name]:.4g} by the first model: {verdict}; "
        f"{_counted(len(summary.retrainings), 'retraining')}, {_counted(len(summary.promotions), 'promotion')}, "
        f"{_counted(len(summary.rolled_back), 'rollback')} in {_counted(summary.batches, 'batch')}"
    )


def _counted(number: int, what: str) -> str:
    ending = "" if number == 1 else "es" if what.endswith("ch") else "s"
    return f"{number} {what}{ending}"


def _phases(metrics: ModelMetrics, rollout: Rollout) -> list[PhaseMetrics]:
    return [phase for phase in metrics.phases if phase.phase.startswith(f"{rollout.id}.")]


def _answered(phase: PhaseMetrics) -> int:
    return sum(seen.served for name, seen in phase.variants.items() if name != CHAMPION)


def _moment(seconds: float) -> datetime:
    from datetime import UTC

    return datetime.fromtimestamp(seconds, UTC)
