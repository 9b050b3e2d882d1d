"""Everything that rules may speak of, measured on the newest rows."""

import math
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from flows.config.model import ModelConfig
from flows.detection.performance.spread import spread
from flows.detection.streams.recent import rise_p
from flows.detection.univariate.samples import finite_values, moments
from registry.records.version import ModelVersion

BACK = 4  # windows before the newest one that it is compared with
_HUGE, _TINY = 1e50, 1e-50  # a test takes the fourth power of a loss, and that must be a number


def row_losses(config: ModelConfig, frame: pl.DataFrame) -> NDArray[np.float64]:
    """
    Loss of each labelled, scored row: squared error of the probability, absolute error, or 1 for a wrong class.

    Beyond 1e50 it is 1e50, below 1e-50 it is 0: no single absurd score stops a look.
    """
    rows = _judgeable(frame)
    if config.task == "multiclass":
        return (rows["_prediction"] != rows["_label"]).cast(pl.Float64).to_numpy()
    size = np.abs((rows["_score"] - rows["_label"]).to_numpy().astype(np.float64))
    losses = np.minimum(size, math.sqrt(_HUGE)) ** 2 if config.task == "binary" else np.minimum(size, _HUGE)
    return np.where(losses < _TINY, 0.0, losses)


def error_metrics(config: ModelConfig, frame: pl.DataFrame, champion: ModelVersion) -> dict[str, float | None]:
    """
    The newest window of labelled rows against the windows before it, and the baseline.

    Args:
        frame: Rows in time order with `_score`, `_label` and `_version`.
        champion: Its loss on its holdout is the baseline; only rows that it served
            itself are held against that.

    Returns:
        Values of error metrics; None where there are fewer than `detection.min_labelled`
        labelled rows on either side, or than the windows can hold.

    Source:
        One-sided Welch test (Welch 1947) of the newest against the earlier losses, rows that depend
        on each other counted as fewer (`rise_p`);
        one-sided t test against the baseline, where rows in time order that resemble each other
        count as fewer, too (`flows.detection.performance.spread`).
    """
    losses, limits = row_losses(config, frame), config.detection
    least = min(limits.min_labelled, limits.error_window)
    recent, before = losses[-limits.error_window :], losses[: -limits.error_window][-BACK * limits.error_window :]
    metrics: dict[str, float | None] = dict.fromkeys(("error", "error_increase", "error_p", "accuracy"))
    metrics |= {"labelled": float(losses.size), **_against_baseline(config, frame, champion)}
    if recent.size < least:
        return metrics
    error = float(recent.mean())
    metrics["error"] = error
    if config.task == "binary":
        metrics["accuracy"] = _accuracy(frame, limits.error_window)
    elif config.task == "multiclass":
        metrics["accuracy"] = 1 - error
    if before.size >= min(limits.min_labelled, BACK * limits.error_window) and before.mean() > 0:
        metrics["error_increase"] = error / float(before.mean()) - 1
        metrics["error_p"] = rise_p(recent, before)
    return metrics


def _against_baseline(config: ModelConfig, frame: pl.DataFrame, champion: ModelVersion) -> dict[str, float | None]:
    baseline, limits = champion.metrics.get("loss"), config.detection
    own = frame.filter(pl.col("_version") == champion.version)
    ours = row_losses(config, own)[-limits.error_window :]
    found: dict[str, float | None] = {"baseline_error": baseline, "baseline_increase": None, "baseline_p": None}
    if baseline is not None and baseline >= _TINY and ours.size >= min(limits.min_labelled, limits.error_window):
        found["baseline_increase"] = float(ours.mean()) / baseline - 1
        found["baseline_p"] = _above(ours, baseline, ordered="_time" in own.columns)
    return found


def age_metrics(champion: ModelVersion, new_rows: int, now: datetime) -> dict[str, float | None]:
    """How old the champion is, and how much it has not learned from."""
    return {"age_days": (now - champion.created_at).total_seconds() / 86_400, "new_rows": float(new_rows)}


def kpi_metrics(config: ModelConfig, frame: pl.DataFrame) -> dict[str, float | None]:
    """Means of the KPIs over the rows that have them."""
    kept = {name: finite_values(frame[f"_kpi_{name}"]) for name in config.data.kpis}
    return {name: moments(values)[0] if values.size else None for name, values in kept.items()}


def _accuracy(frame: pl.DataFrame, window: int) -> float:
    rows = _judgeable(frame).tail(window)
    return float(np.mean((rows["_score"] >= 0.5).to_numpy() == (rows["_label"] == 1).to_numpy()))


def _judgeable(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with a label and a score; null counts as not finite."""
    return frame.filter(pl.col("_label").is_finite() & pl.col("_score").is_finite())


def _above(sample: NDArray[np.float64], level: float, *, ordered: bool) -> float | None:
    """One-sided p-value of a mean above *level*; None where the sample is too small for a test."""
    if sample.size < 2:
        return None
    above, (error, effective) = float(sample.mean()) - level, spread(sample, ordered=ordered)
    return float(special.stdtr(max(effective - 1, 1.0), -above / error)) if error > 0 else float(above <= 0)
