"""Whether every row was answered, logged and joined, and nothing else: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from flows.replay.progress import Answer
from registry.records.base import Record
from registry.records.live import JoinedRow, ModelMetrics

Outcomes = Mapping[str, float]


class Line(Record, frozen=True, kw_only=True):
    """One line of the books: what must be, and what is."""

    name: str
    expected: float
    found: float

    @property
    def exact(self) -> bool:
        """Whether both are equal; sums of many numbers up to rounding."""
        return abs(self.expected - self.found) <= 1e-9 * max(1.0, abs(self.expected))


class LoggedRow(NamedTuple):
    """What counts of a row of the router's log."""

    variant: str
    assigned: str
    version: str
    epoch: int
    outcomes: Outcomes


class Log(NamedTuple):
    """
    The router's log of one model.

    Attributes:
        rows: Rows of this replay, by prediction id.
        total: All rows, those of other callers included.
        enrolled: Of these, those that count in statistics.
        twice: Prediction ids that occur more than once.
    """

    rows: Mapping[str, LoggedRow]
    total: int
    enrolled: int
    twice: int


def read_log(rows: Iterable[JoinedRow], name: str) -> Log:
    """Keep of every row what counts; rows of this replay are known by their ids."""
    kept: dict[str, LoggedRow] = {}
    total = enrolled = twice = 0
    for row in rows:
        total += 1
        enrolled += row.enrolled
        if row.prediction_id.startswith(f"{name}-"):
            twice += row.prediction_id in kept
            kept[row.prediction_id] = LoggedRow(row.variant, row.assigned, row.model_version, row.epoch, row.outcomes)
    return Log(kept, total, enrolled, twice)


def prediction_id(name: str, row: int) -> str:
    """Name one prediction; the same after every interruption."""
    return f"{name}-{row}"


def check_books(
    *,
    name: str,
    rows: range,
    answers: Sequence[Answer],
    log: Log,
    outcomes: Mapping[int, Outcomes],
    metrics: ModelMetrics,
    refused: int,
) -> tuple[Line, ...]:
    """
    Compare what was sent, answered, logged and joined, row by row.

    Args:
        name: Of the replay, as in the prediction ids.
        rows: Rows that were to be sent.
        answers: As callers got them.
        log: As the router logged them.
        outcomes: By row, what was delivered: metric -> value.
        metrics: The router's own counters.
        refused: Outcomes that were not accepted.
    """
    logged = {row: log.rows.get(prediction_id(name, row)) for row in rows}
    return (
        Line(name="rows answered", expected=len(rows), found=len({answer.row for answer in answers} & set(rows))),
        Line(name="answers in all", expected=len(rows), found=len(answers)),
        Line(name="rows in the log", expected=len(rows), found=sum(one is not None for one in logged.values())),
        Line(name="rows of this replay in the log", expected=len(rows), found=len(log.rows)),
        Line(name="ids logged twice", expected=0, found=log.twice),
        Line(name="answers that differ from the log", expected=0, found=_different(answers, logged)),
        *_served(answers, log),
        *_joined(logged, outcomes),
        Line(name="outcomes refused", expected=0, found=refused),
        Line(name="predictions counted by the router", expected=log.total, found=metrics.predictions),
        Line(name="predictions not logged", expected=0, found=metrics.unlogged),
        Line(name="assignments counted by the router", expected=log.enrolled, found=_assigned(metrics)),
    )


def _different(answers: Sequence[Answer], logged: Mapping[int, LoggedRow | None]) -> int:
    return sum(_differs(answer, logged.get(answer.row)) for answer in answers)


def _differs(answer: Answer, logged: LoggedRow | None) -> bool:
    said = (answer.variant, answer.assigned, answer.version, answer.epoch)
    return logged is None or said != logged[:4]


def _served(answers: Sequence[Answer], log: Log) -> list[Line]:
    said = Counter((answer.variant, answer.version) for answer in answers)
    kept = Counter((row.variant, row.version) for row in log.rows.values())
    return [
        Line(name=f"served by {variant} {version}", expected=said[variant, version], found=kept[variant, version])
        for variant, version in sorted(said.keys() | kept.keys())
    ]


def _joined(logged: Mapping[int, LoggedRow | None], outcomes: Mapping[int, Outcomes]) -> list[Line]:
    lines = []
    for metric in sorted({metric for one in outcomes.values() for metric in one}):
        sent = {row: one[metric] for row, one in outcomes.items() if metric in one}
        kept = {row: one.outcomes[metric] for row, one in logged.items() if one and metric in one.outcomes}
        differ = sum(kept.get(row) != value for row, value in sent.items())
        lines += [
            Line(name=f"{metric}: joined", expected=len(sent), found=len(kept)),
            Line(name=f"{metric}: joined with another value", expected=0, found=differ),
            Line(name=f"{metric}: sum", expected=sum(sent.values()), found=sum(kept.values())),
        ]
    return lines


def _assigned(metrics: ModelMetrics) -> int:
    return sum(variant.assigned for phase in metrics.phases for variant in phase.variants.values())
