"""Performance without labels: what it is expected to be, and how far such estimates were off."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.performance.calibrators import Calibrator
from flows.detection.performance.expected import EXPECTED, Expected, Metric, Metrics
from flows.detection.performance.records import Check, Measure, known
from flows.detection.performance.rows import Scored
from flows.detection.performance.spread import Floats, spread

BLIND = "It is blind to concept drift: it takes for granted that a score means what it meant on the holdout."
NO_MEANS = ("auc", "f1")
"""No means over rows: what is off on some rows cannot be added to the others."""

NAMED = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "f1": "F1",
    "brier": "Brier score",
    "log_loss": "log loss",
    "mae": "MAE",
    "rmse": "RMSE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How estimates are judged: the confidence of intervals, the gap that matters, rows that a check needs."""

    confidence: float
    blind_gap: float
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Realised minus estimated, on rows whose labels have arrived."""

    estimated: float
    realised: float
    error: float
    n: int

    @property
    def size(self) -> float:
        """The gap itself."""
        return self.realised - self.estimated


def estimates(
    rows: Scored, calibrate: Calibrator, options: Options, metrics: Metrics = EXPECTED
) -> tuple[list[Measure], list[Check]]:
    """
    Estimate metrics of classification for all rows: labels where they are, expectations elsewhere.

    Args:
        metrics: Of the task; those of a binary one by default.

    Source:
        Confidence-based performance estimation (CBPE), NannyML's documentation. The interval has
        the binomial error of the missing labels, widened as far as the known ones resemble their
        neighbours, and the calibrator's own error.
    """
    known_rows, chances = rows.known, calibrate(rows.scores)
    mixed = np.where(known_rows, rows.labels, chances)
    measures, checks = [], []
    for name, metric in metrics.items():
        whole = metric(mixed, rows.scores)
        if whole is None:
            continue
        gap = _gap(metric, rows, chances, calibrate) if known_rows.sum() >= options.least else None
        thinner = _thinner(rows, chances) if known_rows.sum() >= options.least else 1.0
        error = _error(whole, known_rows, rows.scores, chances, calibrate, thinner)
        measures.append(estimated(name, whole.value, error, rows, options))
        if gap is not None:
            checks.append(checked(name, gap, whole.value, error, 1 - float(known_rows.mean()), options))
    return measures, checks


def estimated(name: str, value: float, error: float, rows: Scored, options: Options) -> Measure:
    """One estimate with its interval, and what it is not."""
    half = _quantile(options.confidence) * error
    share = float(rows.known.mean())
    return Measure(
        name=name,
        value=known(value),
        low=known(_bounded(name, value - half)),
        high=known(_bounded(name, value + half)),
        n=rows.scores.size,
        estimated=True,
        said=f"An estimate: {share:.0%} of the rows have labels. {BLIND}",
    )


def checked(name: str, gap: Gap, value: float, error: float, missing: float, options: Options) -> Check:
    """
    Judge an estimate by its gap, and correct it.

    Args:
        value, error: The estimate for all rows.
        missing: Share of rows without a label.

    Source:
        Correction: the estimate plus the mean gap of labelled rows, as in prediction-powered
        inference (Angelopoulos et al. 2023, Science 382:669-674).
    """
    quantile = _quantile(options.confidence)
    low, high = gap.size - quantile * gap.error, gap.size + quantile * gap.error
    matters = options.blind_gap * max(abs(gap.realised), abs(gap.estimated))
    blind = (low > 0 or high < 0) and abs(gap.size) > matters
    middle, wide = value + missing * gap.size, quantile * math.hypot(error, missing * gap.error)
    correctable = missing > 0 and name not in NO_MEANS
    return Check(
        name=name,
        estimated=gap.estimated,
        realised=gap.realised,
        gap=gap.size,
        low=low,
        high=high,
        n=gap.n,
        blind=blind,
        corrected=_bounded(name, middle) if correctable else None,
        corrected_low=_bounded(name, middle - wide) if correctable else None,
        corrected_high=_bounded(name, middle + wide) if correctable else None,
        said=_sentence(name, gap, (low, high), blind=blind),
    )


def _sentence(name: str, gap: Gap, ends: tuple[float, float], *, blind: bool) -> str:
    seen = f"On {gap.n:,} rows whose labels have arrived, {NAMED[name]} was estimated at {gap.estimated:.4g}"
    seen += f" and is {gap.realised:.4g}: off by {gap.size:+.3g} [{ends[0]:+.3g}, {ends[1]:+.3g}]."
    if blind:
        return f"{seen} The estimate does not see what happens; do not trust it."
    return f"{seen} That speaks for it on these rows, and for no later ones."


def _gap(metric: Metric, rows: Scored, chances: Floats, calibrate: Calibrator) -> Gap | None:
    where = rows.known
    labels, p, scores = rows.labels[where], chances[where], rows.scores[where]
    before, after = metric(p, scores), metric(labels, scores)
    if before is None or after is None:
        return None
    series = before.gradient * (labels - p) * labels.size
    own = spread(series, ordered=rows.ordered).error
    error = math.hypot(own, math.sqrt(calibrate.variance(scores, before.gradient)))
    return Gap(estimated=before.value, realised=after.value, error=error, n=labels.size)


def _error(
    whole: Expected,
    known_rows: NDArray[np.bool_],
    scores: Floats,
    chances: Floats,
    calibrate: Calibrator,
    thinner: float,
) -> float:
    missing = ~known_rows
    gradient, p = whole.gradient[missing], chances[missing]
    noise = float(gradient**2 @ (p * (1 - p))) * thinner
    return math.sqrt(noise + calibrate.variance(scores[missing], gradient))


def _thinner(rows: Scored, chances: Floats) -> float:
    """Rows behind one independent row, by the surprises of the known labels."""
    where = rows.known
    surprises = rows.labels[where] - chances[where]
    effective = spread(surprises, ordered=rows.ordered).effective
    return max(surprises.size / effective, 1.0) if effective > 0 else 1.0


def _quantile(confidence: float) -> float:
    return float(special.ndtri((1 + confidence) / 2))


def _bounded(name: str, value: float) -> float:
    lowest = max(value, 0.0)
    return min(lowest, 1.0) if name in ("accuracy", "auc", "f1", "brier") else lowest
