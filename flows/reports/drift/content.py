"""What a drift report shows; filled by those who measured it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

Colour = Literal["good", "wait", "bad"]


class FeatureLine(NamedTuple):
    """
    One feature, judged.

    Attributes:
        statistic: Kolmogorov-Smirnov D, or V of a categorical.
        null_psi: PSI that chance alone would hardly exceed.
        importance: Share of the model's attention, 0 to 1; None if unknown.
        findings: In words.
        measured: Whether its values were compared; if not, its numbers say nothing.
    """

    name: str
    kind: str
    drifted: bool
    high: bool
    statistic: float
    adjusted: float
    psi: float
    null_psi: float
    missing_change: float
    importance: float | None = None
    findings: tuple[str, ...] = ()
    measured: bool = True


class Distribution(NamedTuple):
    """
    A feature on both sides.

    Attributes:
        edges: Of the bins of a numeric feature, one more than shares; empty for a categorical.
        levels: Of a categorical; empty for a numeric one.
        reference, current: Shares per bin or level.
    """

    name: str
    edges: tuple[float, ...]
    levels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


class Past(NamedTuple):
    """
    An earlier look.

    Attributes:
        at: Epoch seconds.
        psi: By feature.
        drifted: Features that drifted then.
    """

    at: float
    severity: str
    psi: Mapping[str, float]
    drifted: frozenset[str]


class ErrorPoint(NamedTuple):
    """
    Mean loss of one window.

    Attributes:
        at: Epoch seconds of its last row.
        low, high: Its 95 % interval.
    """

    at: float
    mean: float
    low: float
    high: float


class Mark(NamedTuple):
    """A detector's mark: epoch seconds, and its name."""

    at: float
    detector: str


class Metric(NamedTuple):
    """One number that rules may name, and what it is; None: not enough data."""

    name: str
    value: float | None
    said: str


class DriftContent(NamedTuple):
    """
    All of it.

    Attributes:
        headline: The verdict in a few words.
        summary: Sentences in plain language, the most telling first.
        causes: Ranked.
        undecided: Rules that could not be decided for want of data.
        baseline: The champion's mean loss on its holdout.
        champion: Version, or the name of the reference table.
        question: The heading, as plain text; whether the champion is still fit if empty.
    """

    model: str
    champion: str
    at: datetime | None
    colour: Colour
    headline: str
    recommendation: str
    severity: str
    confidence: float | None
    drift_type: str
    summary: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    rows: int = 0
    reference_rows: int = 0
    features: tuple[FeatureLine, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    history: tuple[Past, ...] = ()
    errors: tuple[ErrorPoint, ...] = ()
    marks: tuple[Mark, ...] = ()
    baseline: float | None = None
    metrics: tuple[Metric, ...] = ()
    question: str = ""
