"""What a past look at a model has left: enough for lists and time series."""

from datetime import datetime

from registry.records.base import Record


class PastFeature(Record, frozen=True, kw_only=True):
    """
    One feature at one look.

    Attributes:
        enough: False means "too few values to say anything"; the numbers are then None.
        psi: Population stability index.
        statistic: Kolmogorov-Smirnov D, or Cramer's V of a categorical.
        adjusted: p-value after correction over all tests of the look.
        missing_change: Share of missing values then minus in the reference.
    """

    enough: bool = True
    psi: float | None = None
    statistic: float | None = None
    adjusted: float | None = None
    missing_change: float | None = None
    drifted: bool = False
    high: bool = False


class PastLook(Record, frozen=True, kw_only=True):
    """
    One look.

    Attributes:
        at: On the model's clock.
        confidence: That a retraining was warranted; harm: estimated rise of the loss over that of a refit.
        rows: In the window.
        enough: False means "not enough data", never "no drift".
        error: Mean loss of the newest labelled window then; None if it was not known.
        error_increase: Relative rise over the windows before.
        drifted: Features that did, most drifted first.
        features: By name; only those that were asked for.
    """

    at: datetime
    champion: str = ""
    severity: str | None = None
    triggered: bool = False
    drift_type: str | None = None
    rule: str | None = None
    event_id: str | None = None
    held_back: str | None = None
    confidence: float | None = None
    harm: float | None = None
    rows: int = 0
    enough: bool = False
    error: float | None = None
    error_increase: float | None = None
    drifted: tuple[str, ...] = ()
    features: dict[str, PastFeature] = {}
