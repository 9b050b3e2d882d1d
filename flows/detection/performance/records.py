"""What is known of a champion's performance, with and without labels."""

import math

from registry.records.base import Record


class Measure(Record, frozen=True, kw_only=True):
    """
    One metric. What is not known is None.

    Attributes:
        low, high: Interval of the value, at `Performance.confidence`.
        n: Rows behind it; effective: independent rows that would say as much.
        baseline: The metric on the champion's holdout.
        change: From the baseline, as a share of it; of the calibration error: in its own units.
        change_low, change_high: Interval of the change, with the baseline's own error where it is known.
        p: One-sided p-value against "no worse than the baseline", adjusted over the metrics.
        degraded: Whether the change passes its threshold, and the p-value the level.
        estimated: Whether rows without a label have a part in it; then it is never called degraded.
        said: What a reader must know.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    effective: float | None = None
    baseline: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    p: float | None = None
    degraded: bool = False
    estimated: bool = False
    said: str = ""


class Check(Record, frozen=True, kw_only=True):
    """
    How far the estimate of a metric was off, on rows whose labels have arrived since.

    Attributes:
        estimated, realised: The metric on these rows, without and with their labels.
        gap: Realised minus estimated; low, high: interval of the gap.
        n: Rows.
        blind: Whether the gap is real and larger than `performance.blind_gap`.
        corrected: Estimate for all rows, with the gap added where labels are missing; None where
            all rows have labels, and for AUC and F1, which are no means over rows.
        corrected_low, corrected_high: Its interval, while the gap stays as it is.
        said: The same in words.
    """

    name: str
    estimated: float
    realised: float
    gap: float
    low: float
    high: float
    n: int
    blind: bool
    corrected: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None
    said: str


class Performance(Record, frozen=True, kw_only=True):
    """
    All that is known of how good a champion is.

    Attributes:
        version: The champion; only rows that it served itself count.
        rows: Rows with a usable score; labelled: those of them with a usable label.
        absurd: Share of the champion's rows whose score is no usable number, or absurdly far off.
        confidence: Of all intervals.
        level: Chance that a look without degradation is called degraded by any metric.
        enough: Whether there are labels enough to judge anything.
        said: The whole in a sentence or two.
        measures: Realised metrics first, then estimates.
        checks: Of the estimates.
        findings: What else a reader must know, one sentence each.
        floor_broken: Whether accuracy is surely below its floor; None where that says nothing.
        trivial: Accuracy of always saying the more frequent class (binary only).
    """

    version: str
    rows: int
    labelled: int
    absurd: float | None = None
    confidence: float
    level: float
    enough: bool
    said: str
    measures: tuple[Measure, ...] = ()
    checks: tuple[Check, ...] = ()
    findings: tuple[str, ...] = ()
    floor_broken: bool | None = None
    trivial: float | None = None

    @property
    def degraded(self) -> tuple[str, ...]:
        """Metrics that are surely worse, and by more than their threshold."""
        return tuple(measure.name for measure in self.measures if measure.degraded)

    def measure(self, name: str, *, estimated: bool = False) -> Measure | None:
        """One metric, or None if it was not measured."""
        return next((one for one in self.measures if one.name == name and one.estimated == estimated), None)

    def check(self, name: str) -> Check | None:
        """How far the estimate of one metric was off, or None if nobody can know yet."""
        return next((one for one in self.checks if one.name == name), None)

    def metrics(self) -> dict[str, float | None]:
        """What rules may name; None where it is not known. See `flows.config.detection.performance`."""
        from flows.detection.performance.naming import metrics_of

        return metrics_of(self)


def known(value: float) -> float | None:
    """A number, or None for one that is not finite: JSON has no other."""
    return float(value) if math.isfinite(value) else None
