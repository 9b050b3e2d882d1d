"""The file `scorer.json` of an artifact: how features become a score."""

from typing import Literal

from registry.records.base import Record
from registry.records.version import Task


class NumericColumn(Record, frozen=True, kw_only=True, tag="numeric"):
    """
    One number in, one number out: (fill if missing else value - shift) / scale.

    Attributes:
        fill: Replaces a missing value; None keeps it missing (NaN).
    """

    feature: str
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0


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
