"""
Data drift per feature: statistics, gates against noise and trifles, named findings.

Sources:
    Two-sample Kolmogorov-Smirnov; chi-square of homogeneity with Cramer's V; PSI by the
    reference's deciles. Without drift PSI is about (1/n + 1/m) chi2(k - 1), so a PSI
    counts only beyond that distribution's 99.9 % quantile (Yurdakul 2018).
    Benjamini and Hochberg (1995) over all features.
"""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from flows.config.model import Detection, ModelConfig
from flows.detection.profile import CategoryProfile, NumericProfile, ReferenceProfile, category_profile, finite_values
from registry.records.base import Record

_SHARE_STEP = 0.1
_OUTLIER_SIGMA = 3.0


class FeatureDrift(Record, frozen=True, kw_only=True):
    """
    One feature.

    Attributes:
        psi: Population stability index; null_psi: its 99.9 % quantile without drift.
        statistic: Kolmogorov-Smirnov D, or Cramer's V of a categorical.
        p_value: Before, adjusted: after correction over features.
        missing_change: Share of missing values now minus in the reference.
        outlier_share: Share of values beyond 3 standard deviations of the reference.
        drifted: Significant, and large enough to matter.
        high: PSI beyond the threshold and beyond noise.
        findings: What a person should know, in words.
    """

    name: str
    kind: str
    n: int
    psi: float = 0.0
    null_psi: float = 0.0
    statistic: float = 0.0
    p_value: float = 1.0
    adjusted: float = 1.0
    missing_change: float = 0.0
    outlier_share: float = 0.0
    drifted: bool = False
    high: bool = False
    findings: tuple[str, ...] = ()


class DriftReport(Record, frozen=True, kw_only=True):
    """
    All features of one window against the reference.

    Attributes:
        enough: False means "not enough data", never "no drift".
        features: Most drifted first.
        score_drift: Of the predictions, if both sides have some.
    """

    reference_rows: int
    rows: int
    enough: bool
    said: str
    features: tuple[FeatureDrift, ...] = ()
    score_drift: FeatureDrift | None = None

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """Features that drifted."""
        return tuple(feature for feature in self.features if feature.drifted)


def drift(reference: ReferenceProfile, frame: pl.DataFrame, config: ModelConfig) -> DriftReport:
    """
    Compare a window with a stored profile.

    Args:
        reference: Of the rows that the champion learned from.
        frame: Newest rows, features typed as `flows.data` does.
        config: Names the features and thresholds.
    """
    limits = config.detection
    rows = frame.height
    if rows < limits.min_rows:
        said = f"not enough data: {rows} rows, {limits.min_rows} are needed"
        return DriftReport(reference_rows=reference.rows, rows=rows, enough=False, said=said)
    found = [
        _numeric(name, was, frame[name], limits) for name, was in reference.numeric.items() if name in frame.columns
    ]
    found += [
        _categorical(name, was, frame[name]) for name, was in reference.categorical.items() if name in frame.columns
    ]
    features = _judge(found, limits)
    drifted = [feature.name for feature in features if feature.drifted]
    said = f"{len(drifted)} of {len(features)} features drifted" + (f": {', '.join(drifted[:5])}" if drifted else "")
    return DriftReport(
        reference_rows=reference.rows,
        rows=rows,
        enough=True,
        said=said,
        features=tuple(sorted(features, key=lambda f: (not f.drifted, -f.statistic))),
        score_drift=_score_drift(reference, frame, limits),
    )


def drift_between(reference: pl.DataFrame, current: pl.DataFrame, config: ModelConfig) -> DriftReport:
    """Compare two tables."""
    from flows.detection.profile import profile

    return drift(profile(reference, config), current, config)


def ks(quantiles: NDArray[np.float64], n: int, values: NDArray[np.float64]) -> tuple[float, float]:
    """
    Kolmogorov-Smirnov between a profile and values.

    Args:
        quantiles: Sorted order statistics of the reference; all of its values if n is small.
        n: Reference values behind them.
        values: Shape (m,).

    Returns:
        D, exact to the profile's resolution, and its asymptotic two-sided p-value with
        D lowered by that resolution where the profile is coarser than the data.
    """
    points = np.concatenate([quantiles, values])
    ours = np.searchsorted(quantiles, points, side="right") / quantiles.size
    theirs = np.searchsorted(np.sort(values), points, side="right") / values.size
    d = float(np.max(np.abs(ours - theirs)))
    coarse = 1 / quantiles.size if n > quantiles.size else 0.0
    effective = n * values.size / (n + values.size)
    return d, float(stats.kstwo.sf(max(0.0, d - coarse), max(1, round(effective))))


def psi(reference: NDArray[np.float64], current: NDArray[np.float64]) -> tuple[float, float]:
    """
    Population stability index of two vectors of counts.

    Returns:
        The index, with half a count in empty bins, and its 99.9 % quantile without drift.
    """
    n, m, k = float(reference.sum()), float(current.sum()), reference.size
    if n == 0 or m == 0 or k < 2:
        return 0.0, 0.0
    p, q = np.maximum(reference, 0.5) / n, np.maximum(current, 0.5) / m
    null = (1 / n + 1 / m) * float(stats.chi2.ppf(0.999, k - 1))
    return float(np.sum((p - q) * np.log(p / q))), null


def _numeric(name: str, was: NumericProfile, column: pl.Series, limits: Detection) -> FeatureDrift:
    values = finite_values(column)
    change, findings = _missing(was.n, was.missing, values.size, column.len())
    if values.size == 0 or was.n == 0:
        findings.append("no values at all" if values.size == 0 else "the reference has no values")
        return FeatureDrift(name=name, kind="numeric", n=values.size, missing_change=change, findings=tuple(findings))
    quantiles = np.asarray(was.quantiles)
    d, p = ks(quantiles, was.n, values)
    index, null = _decile_psi(quantiles, was.n, values)
    outliers = float(np.mean(np.abs(values - was.mean) > _OUTLIER_SIGMA * was.sd)) if was.sd > 0 else 0.0
    if outliers > limits.outlier_share:
        findings.append(f"{outliers:.1%} of the values lie beyond 3 standard deviations")
    if values.min() == values.max() and was.sd > 0:
        findings.append(f"constant: {values[0]:.4g}")
    infinite = int(np.isinf(column.cast(pl.Float64).drop_nulls().to_numpy()).sum())
    if infinite:
        findings.append(f"{infinite} infinite values")
    return FeatureDrift(
        name=name,
        kind="numeric",
        n=values.size,
        psi=index,
        null_psi=null,
        statistic=d,
        p_value=p,
        missing_change=change,
        outlier_share=outliers,
        findings=tuple(findings),
    )


def _decile_psi(quantiles: NDArray[np.float64], n: int, values: NDArray[np.float64]) -> tuple[float, float]:
    edges = np.unique(np.quantile(quantiles, np.linspace(0.1, 0.9, 9), method="inverted_cdf"))
    bins = edges.size + 1
    reference = np.bincount(np.searchsorted(edges, quantiles, side="left"), minlength=bins) / quantiles.size * n
    return psi(reference, np.bincount(np.searchsorted(edges, values, side="left"), minlength=bins).astype(np.float64))


def _categorical(name: str, was: CategoryProfile, column: pl.Series) -> FeatureDrift:
    now = category_profile(column)
    change, findings = _missing(was.n, was.missing, now.n, column.len())
    if now.n == 0 or was.n == 0:
        findings.append("no values at all" if now.n == 0 else "the reference has no values")
        return FeatureDrift(name=name, kind="categorical", n=now.n, missing_change=change, findings=tuple(findings))
    findings += _levels(was.counts, now.counts, was.n, now.n)
    reference, current = _pooled(was.counts, now.counts)
    v, p = _cramer(reference, current)
    index, null = psi(reference, current)
    return FeatureDrift(
        name=name,
        kind="categorical",
        n=now.n,
        psi=index,
        null_psi=null,
        statistic=v,
        p_value=p,
        missing_change=change,
        findings=tuple(findings),
    )


def _pooled(was: Mapping[str, int], now: Mapping[str, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts per level; levels expected fewer than 5 times in either are one bin."""
    n, m = sum(was.values()), sum(now.values())
    rare = np.zeros(2)
    reference, current = [], []
    for level in was.keys() | now.keys():
        a, b = was.get(level, 0), now.get(level, 0)
        if (a + b) * min(n, m) / (n + m) < 5:
            rare += (a, b)
        else:
            reference.append(float(a))
            current.append(float(b))
    if rare.sum():
        reference.append(float(rare[0]))
        current.append(float(rare[1]))
    return np.array(reference), np.array(current)


def _cramer(reference: NDArray[np.float64], current: NDArray[np.float64]) -> tuple[float, float]:
    if reference.size < 2:
        return 0.0, 1.0
    chi2, p, _, _ = stats.chi2_contingency(np.vstack([reference, current]), correction=False)
    return math.sqrt(float(chi2) / float(reference.sum() + current.sum())), float(p)


def _levels(was: Mapping[str, int], now: Mapping[str, int], n: int, m: int) -> list[str]:
    new = {level: count / m for level, count in now.items() if level not in was and count / m >= 0.01}
    gone = {level: count / n for level, count in was.items() if level not in now and count / n >= 0.05}
    findings = [f"new level {level!r} in {share:.1%} of the rows" for level, share in sorted(new.items())[:5]]
    return findings + [f"level {level!r} vanished (it had {share:.1%})" for level, share in sorted(gone.items())[:5]]


def _missing(n: int, missing: int, present: int, rows: int) -> tuple[float, list[str]]:
    before = missing / (n + missing) if n + missing else 0.0
    after = 1 - present / rows if rows else 0.0
    change = after - before
    return change, [f"missing values went from {before:.1%} to {after:.1%}"] if abs(change) > _SHARE_STEP else []


def _judge(found: list[FeatureDrift], limits: Detection) -> list[FeatureDrift]:
    import msgspec

    bh = limits.correction == "bh"
    adjusted = _benjamini_hochberg([feature.p_value for feature in found]) if bh else [f.p_value for f in found]
    level = limits.fdr if bh else limits.ks_p
    judged = []
    for feature, q in zip(found, adjusted, strict=True):
        broken = abs(feature.missing_change) > _SHARE_STEP or "no values at all" in feature.findings
        judged.append(
            msgspec.structs.replace(
                feature,
                adjusted=q,
                drifted=broken or (q < level and feature.statistic >= limits.min_effect),
                high=broken or feature.psi > max(limits.psi, feature.null_psi),
            )
        )
    return judged


def _benjamini_hochberg(p_values: list[float]) -> list[float]:
    return stats.false_discovery_control(p_values).tolist() if p_values else []


def _score_drift(reference: ReferenceProfile, frame: pl.DataFrame, limits: Detection) -> FeatureDrift | None:
    if reference.score is None or reference.score.n == 0 or "_score" not in frame.columns:
        return None
    return _judge([_numeric("score", reference.score, frame["_score"], limits)], limits)[0]
