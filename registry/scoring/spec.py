"""The file `scorer.json` of an artifact: how features become a score."""

from math import isfinite
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record
from registry.records.version import Task

Kind = Literal["xgboost", "lightgbm", "forest", "linear", "mlp", "original"]
Link = Literal["identity", "logistic", "exponential"]
Activation = Literal["identity", "relu", "tanh", "logistic"]


class NumericColumn(Record, frozen=True, kw_only=True, tag="numeric"):
    """
    One number in, one number out: ((fill if missing else value) - shift) / scale * factor + offset.

    Attributes:
        fill: Replaces a missing value; None keeps it missing (NaN).
        otherwise: Comes out instead of NaN; None leaves NaN.
    """

    feature: str
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    factor: float = 1.0
    offset: float = 0.0
    otherwise: float | None = None

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
        kind: "xgboost", "lightgbm", "forest": trees in the file *arrays*; "xgboost" may
            have its native UBJ in *booster* instead. "mlp": layers in *arrays*.
            "linear": intercept + coefficients on the encoded columns. "original": the
            fitted pipeline itself, in *booster*; its columns only name the features.
        inputs: Names of the features in the order of callers who send arrays; that of
            *columns* if empty.
        intercept: Where the sum of coefficients or trees starts.
        divisor: The sum of the trees is divided by it, e.g. by their number.
        link: What the sum goes through; None: the logistic function for a binary linear
            model, nothing otherwise.
        slope: The sum is multiplied by it in the logistic function.
        activation: Of the hidden layers.
        threshold: A binary score at or above it predicts 1.
    """

    format: Literal["understudy-scorer-1"] = "understudy-scorer-1"
    task: Task
    kind: Kind
    columns: tuple[NumericColumn | CategoryColumn, ...]
    inputs: tuple[str, ...] = ()
    booster: str | None = None
    arrays: str | None = None
    coefficients: tuple[float, ...] = ()
    intercept: float = 0.0
    divisor: float = 1.0
    link: Link | None = None
    slope: float = 1.0
    activation: Activation = "relu"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a spec that could not score, with all its mistakes."""
        mistakes = [mistake for column in self.columns for mistake in _column_mistakes(column)]
        mistakes += [*_input_mistakes(self), *_file_mistakes(self)]
        if self.kind == "linear" and len(self.coefficients) != self.width:
            mistakes.append(f"{len(self.coefficients)} coefficients for {self.width} encoded columns")
        if not (isfinite(self.divisor) and isfinite(self.intercept) and isfinite(self.slope) and self.divisor):
            mistakes.append("intercept, divisor and slope must be finite, and divisor not 0")
        if mistakes:
            raise InvalidRecord.of("The scorer", mistakes, "Fold the fitted pipeline again.")

    @property
    def linked(self) -> Link:
        """What the sum goes through."""
        return self.link or ("logistic" if self.kind == "linear" and self.task == "binary" else "identity")

    @property
    def width(self) -> int:
        """How many encoded columns the model sees."""
        return sum(column.width for column in self.columns)


def _column_mistakes(column: NumericColumn | CategoryColumn) -> list[str]:
    if isinstance(column, NumericColumn):
        numbers = (
            column.shift,
            column.scale,
            column.factor,
            column.offset,
            column.fill or 0.0,
            column.otherwise or 0.0,
        )
        fine = all(map(isfinite, numbers)) and column.scale
        return [] if fine else [f"{column.feature}: numbers must be finite, and scale not 0"]
    widths = {len(numbers) for numbers in (*column.table.values(), column.unknown, column.missing)}
    return [] if len(widths) == 1 else [f"{column.feature}: levels have {sorted(widths)} numbers, not equally many"]


def _input_mistakes(spec: ScorerSpec) -> list[str]:
    numbers = {column.feature for column in spec.columns if isinstance(column, NumericColumn)}
    levels = {column.feature for column in spec.columns if isinstance(column, CategoryColumn)}
    mistakes = [f"{name} is used as a number and as a category" for name in sorted(numbers & levels)]
    if spec.inputs:
        mistakes += [f"{name} is no input" for name in sorted((numbers | levels) - {*spec.inputs})]
        mistakes += [f"no column uses the input {name}" for name in sorted({*spec.inputs} - numbers - levels)]
        if len({*spec.inputs}) < len(spec.inputs):
            mistakes.append("an input is named twice")
    return mistakes


def _file_mistakes(spec: ScorerSpec) -> list[str]:
    if spec.kind == "linear":
        named = spec.booster or spec.arrays
        return [f"a linear scorer has no booster, but it names {named}"] if named else []
    if spec.kind == "xgboost":
        return [] if spec.booster or spec.arrays else ["it names no booster file"]
    if spec.kind == "original":
        return [] if spec.booster else ["it names no file of the fitted pipeline"]
    return [] if spec.arrays else ["it names no file of arrays"]
