"""The file `scorer.json` of an artifact: how features become a score."""

from itertools import pairwise
from math import isfinite
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record
from registry.records.version import Task
from registry.scoring.dates import Cycle, cycle_mistakes

Kind = Literal["xgboost", "lightgbm", "forest", "linear", "mlp", "original", "ensemble", "classes"]
Link = Literal["identity", "logistic", "exponential", "softmax"]
Activation = Literal["identity", "relu", "tanh", "logistic"]
_TOTAL = 1e-9  # by which weights may miss 1


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


class DateColumn(NumericColumn, frozen=True, kw_only=True, tag="date"):
    """
    One date in, as epoch seconds, and one number out.

    Attributes:
        cycle: The moment's place within it is what the numeric column begins with.
    """

    cycle: Cycle


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


class Calibration(Record, frozen=True, kw_only=True):
    """
    What corrects a probability p.

    Attributes:
        kind: "sigmoid": the logistic function of slope * log(p / (1 - p)) + intercept;
            "isotonic": straight lines between the points (x, y), level beyond both ends.
        x: Ascending.
        y: As many.

    Source:
        Platt (1999), Advances in Large Margin Classifiers; Zadrozny and Elkan (2002), KDD.
    """

    kind: Literal["sigmoid", "isotonic"]
    slope: float = 1.0
    intercept: float = 0.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()


class ScorerSpec(Record, frozen=True, kw_only=True):
    """
    How features become a score.

    Attributes:
        kind: "xgboost", "lightgbm", "forest": trees in the file *arrays*; "xgboost" may
            have its native UBJ in *booster* instead. "mlp": layers in *arrays*.
            "linear": intercept + coefficients on the encoded columns. "original": the
            fitted pipeline itself, in *booster*; its columns only name the features.
            "ensemble": the mean of *members* by *weights*. "classes": one member for each
            class, then the softmax function, or the share in their sum.
        inputs: Names of the features in the order of callers who send arrays; that of
            *columns* if empty.
        intercept: Where the sum of coefficients or trees starts.
        divisor: The sum of the trees is divided by it, e.g. by their number.
        link: What the sum goes through; None: the logistic function for a binary linear
            model, nothing otherwise.
        slope: The sum is multiplied by it in the logistic function.
        activation: Of the hidden layers.
        threshold: A binary score at or above it predicts 1.
        classes: Values of the target in the order of their probabilities, if the task is multiclass.
        calibration: Corrects the probability, or that of each class, which then are made to add up to 1.
        members: Scorers that this one is made of; each names files of its own.
        weights: Of the members of an ensemble, none negative; they add up to 1.
        trusted: Types of the user's own that an original is made of.
    """

    format: Literal["understudy-scorer-1"] = "understudy-scorer-1"
    task: Task
    kind: Kind
    columns: tuple[NumericColumn | DateColumn | CategoryColumn, ...]
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
    classes: tuple[str, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    members: tuple["ScorerSpec", ...] = ()
    weights: tuple[float, ...] = ()
    trusted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a spec that could not score, with all its mistakes."""
        mistakes = [mistake for column in self.columns for mistake in _column_mistakes(column)]
        mistakes += [*_input_mistakes(self), *_file_mistakes(self), *_member_mistakes(self), *_class_mistakes(self)]
        mistakes += [mistake for one in self.calibration for mistake in _calibration_mistakes(one)]
        if self.calibration and len(self.calibration) != self.outputs:
            mistakes.append(f"{len(self.calibration)} calibrations for {self.outputs} probabilities")
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

    @property
    def outputs(self) -> int:
        """How many numbers the model says of each row: one, or one for each class."""
        return max(1, len(self.classes))

    @property
    def all_columns(self) -> tuple[NumericColumn | CategoryColumn, ...]:
        """Its own columns, and those of its members."""
        return (*self.columns, *(column for member in self.members for column in member.all_columns))

    @property
    def is_compilable(self) -> bool:
        """Whether machine code can score it: a library need not."""
        if self.members:
            return all(member.is_compilable for member in self.members)
        return self.kind == "linear" or self.arrays is not None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files that it needs."""
        own = tuple(name for name in (self.booster, self.arrays) if name is not None)
        return (*own, *(name for member in self.members for name in member.files))


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
        mistakes = [] if fine else [f"{column.feature}: numbers must be finite, and scale not 0"]
        cycles = cycle_mistakes(column.cycle) if isinstance(column, DateColumn) else []
        return [*mistakes, *(f"{column.feature}: {mistake}" for mistake in cycles)]
    widths = {len(numbers) for numbers in (*column.table.values(), column.unknown, column.missing)}
    return [] if len(widths) == 1 else [f"{column.feature}: levels have {sorted(widths)} numbers, not equally many"]


def _input_mistakes(spec: ScorerSpec) -> list[str]:
    numbers = {column.feature for column in spec.all_columns if isinstance(column, NumericColumn)}
    levels = {column.feature for column in spec.all_columns if isinstance(column, CategoryColumn)}
    mistakes = [f"{name} is used as a number and as a category" for name in sorted(numbers & levels)]
    if spec.inputs:
        mistakes += [f"{name} is no input" for name in sorted((numbers | levels) - {*spec.inputs})]
        mistakes += [f"no column uses the input {name}" for name in sorted({*spec.inputs} - numbers - levels)]
        if len({*spec.inputs}) < len(spec.inputs):
            mistakes.append("an input is named twice")
    return mistakes


def _file_mistakes(spec: ScorerSpec) -> list[str]:
    if spec.kind in ("linear", "ensemble", "classes"):
        named = spec.booster or spec.arrays
        article = "an" if spec.kind == "ensemble" else "a"
        return [f"{article} {spec.kind} scorer has no booster, but it names {named}"] if named else []
    if spec.kind == "xgboost":
        return [] if spec.booster or spec.arrays else ["it names no booster file"]
    if spec.kind == "original":
        return [] if spec.booster else ["it names no file of the fitted pipeline"]
    return [] if spec.arrays else ["it names no file of arrays"]


def _member_mistakes(spec: ScorerSpec) -> list[str]:
    if spec.kind not in ("ensemble", "classes"):
        return [f"a scorer of kind {spec.kind} has no members"] if spec.members or spec.weights else []
    wanted = len(spec.classes) if spec.kind == "classes" else len(spec.weights)
    mistakes = []
    if len(spec.members) != wanted or not wanted:
        mistakes.append(f"{len(spec.members)} members, expected {wanted or 'at least 1'}")
    if spec.columns:
        mistakes.append("its columns belong to its members")
    if len({*spec.files}) < len(spec.files):
        mistakes.append("two members name one file")
    if spec.kind == "classes":
        fit = all(member.is_compilable and not member.classes for member in spec.members)
        return mistakes if fit else [*mistakes, "a member says no single number, or has no arrays"]
    if any(member.classes != spec.classes for member in spec.members):
        mistakes.append("a member has other classes")
    if not all(isfinite(one) and one >= 0 for one in spec.weights) or abs(sum(spec.weights) - 1) > _TOTAL:
        mistakes.append("weights must not be negative, and add up to 1")
    return mistakes


def _class_mistakes(spec: ScorerSpec) -> list[str]:
    if spec.task != "multiclass":
        return [f"a {spec.task} scorer has no classes"] if spec.classes else []
    mistakes = [] if len(spec.classes) > 1 else [f"a multiclass scorer names {len(spec.classes)} classes"]
    if len({*spec.classes}) < len(spec.classes):
        mistakes.append("a class is named twice")
    if spec.kind not in ("original", "ensemble", "classes"):
        mistakes.append(f"a scorer of kind {spec.kind} says one number, not one for each class")
    return mistakes


def _calibration_mistakes(one: Calibration) -> list[str]:
    numbers = (one.slope, one.intercept, *one.x, *one.y)
    mistakes = [] if all(map(isfinite, numbers)) else ["calibration: numbers must be finite"]
    if len(one.x) != len(one.y) or (one.kind == "isotonic" and not one.x):
        mistakes.append(f"calibration: {len(one.x)} points x, {len(one.y)} points y")
    if any(after <= before for before, after in pairwise(one.x)):
        mistakes.append("calibration: points x must ascend")
    return mistakes
