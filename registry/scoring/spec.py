"""The file `scorer.json` of an artifact: how features become a score."""

from math import isfinite
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record
from registry.records.version import Task


class NumericColumn(Record, frozen=True, kw_only=True, tag="numeric"):
    """
    One number in, one number out: ((fill if missing else value) - shift) / scale.

    Attributes:
        fill: Replaces a missing value; None keeps it missing (NaN).
    """

    feature: str
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """How many numbers come out."""
        return 1


class CategoryColumn(Record, frozen=True, kw_only=True, tag="categorical"):
    """
    One level in, `width` numbers out: one-hot, ordinal or target encoding alike.

    Attributes:
        table: Numbers of each known level.
        unknown: Numbers of any other level.
        missing: Numbers of a missing value.
    """

    feature: str
    table: dict[str, tuple[float, ...]]
    unknown: tuple[float, ...]
    missing: tuple[float, ...]

    @property
    def width(self) -> int:
        """How many numbers come out."""
        return len(self.unknown)


class ScorerSpec(Record, frozen=True, kw_only=True):
    """
    How features become a score.

    Attributes:
        kind: "xgboost": native UBJ in `booster`. "linear": intercept + coefficients
            on the encoded columns, then the logistic function for a binary task.
        threshold: A binary score at or above it predicts 1.
    """

    format: Literal["understudy-scorer-1"] = "understudy-scorer-1"
    task: Task
    kind: Literal["xgboost", "linear"]
    columns: tuple[NumericColumn | CategoryColumn, ...]
    booster: str | None = None
    coefficients: tuple[float, ...] = ()
    intercept: float = 0.0
    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a spec that could not score, with all its mistakes."""
        mistakes = [mistake for column in self.columns for mistake in _column_mistakes(column)]
        if self.kind == "xgboost" and not self.booster:
            mistakes.append("it names no booster file")
        if self.kind == "linear" and len(self.coefficients) != self.width:
            mistakes.append(f"{len(self.coefficients)} coefficients for {self.width} encoded columns")
        if self.kind == "linear" and self.booster:
            mistakes.append(f"a linear scorer has no booster, but it names {self.booster}")
        if mistakes:
            raise InvalidRecord.of("The scorer", mistakes, "Fold the fitted pipeline again.")

    @property
    def width(self) -> int:
        """How many encoded columns the model sees."""
        return sum(column.width for column in self.columns)


def _column_mistakes(column: NumericColumn | CategoryColumn) -> list[str]:
    if isinstance(column, NumericColumn):
        finite = isfinite(column.shift) and isfinite(column.scale) and isfinite(column.fill or 0.0)
        return [] if finite and column.scale else [f"{column.feature}: numbers must be finite, and scale not 0"]
    widths = {len(numbers) for numbers in (*column.table.values(), column.unknown, column.missing)}
    return [] if len(widths) == 1 else [f"{column.feature}: levels have {sorted(widths)} numbers, not equally many"]
