"""
One window against what its season lets expect.

Source:
    Harmonic mean of the p-values of a column's bins (Wilson 2019, PNAS 116:1195-1200), those
    that are off by less than the effect gate being no tests; Benjamini-Hochberg over columns.
"""

import msgspec
import numpy as np
import polars as pl

from flows.config.detection.settings import Detection
from flows.config.model import ModelConfig
from flows.detection.judging.chance import psi_by_chance
from flows.detection.judging.findings import LEAST, WORTH_A_WORD
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.judging.verdict import decided, report_of
from flows.detection.season.bins import cuts_in
from flows.detection.season.calendar import seconds
from flows.detection.season.expected import Floats, Gap, Window
from flows.detection.season.profile import Curve, SeasonProfile
from flows.detection.univariate.statistics import ABSENT

_SURELY = 0.001  # a gap is worth a word if chance would make it less often


def season_drift(profile: SeasonProfile, frame: pl.DataFrame, config: ModelConfig) -> DriftReport:
    """
    Compare a window with what its season lets expect.

    Args:
        profile: Of the rows that the champion learned from.
        frame: Newest rows with `_time`; rows without are left aside.
        config: Its thresholds.
    """
    limits = config.detection
    rows = frame.filter(pl.col("_time").is_not_null()) if "_time" in frame.columns else frame.clear()
    if not profile.enough or rows.height < limits.min_rows:
        few = f"not enough data: {rows.height} rows with a time, {limits.min_rows} are needed"
        said = few if profile.enough else profile.said
        return DriftReport(reference_rows=profile.rows, rows=rows.height, enough=False, said=said)
    window = Window.of(seconds(rows["_time"]), profile)
    found = [_compared(curve, rows, window, profile, limits) for curve in profile.curves]
    return report_of(decided(found, limits), (profile.rows, rows.height))


def season_metrics(report: DriftReport) -> dict[str, float | None]:
    """`season_features`: how many drifted from what their season lets expect; None if that is not known."""
    return {"season_features": float(len(report.drifted)) if report.enough else None}


def _compared(
    curve: Curve, rows: pl.DataFrame, window: Window, profile: SeasonProfile, limits: Detection
) -> FeatureDrift:
    if curve.name not in rows.columns:
        return _gone(curve)
    marks, there = cuts_in(curve).of(rows[curve.name])
    n, missing = int(there.sum()), np.array([1 - there.mean()])
    missing_gap = window.gap(curve, profile, missing, rows.height, slice(-1, None))
    change = float(missing_gap.change[0])
    found = FeatureDrift(
        name=curve.name,
        kind=curve.kind,
        n=n,
        reference_n=curve.n,
        enough=min(n, curve.n) >= LEAST and marks.shape[1] > 0,
        missing_change=change,
        missing_p=float(missing_gap.p_values[0]),
        findings=_missing_words(n, change),
    )
    if not found.enough:
        return found
    return _valued(found, window.gap(curve, profile, marks.sum(axis=0) / n, n, slice(0, -1)), curve, limits)


def _valued(found: FeatureDrift, gap: Gap, curve: Curve, limits: Detection) -> FeatureDrift:
    off = np.abs(gap.change)
    tested = np.where(off >= limits.min_effect, gap.p_values, 1.0)
    psi, bins = gap.psi(numeric=curve.kind == "numeric")
    worst = int(np.argmax(off))
    return msgspec.structs.replace(
        found,
        statistic=float(off[worst]),
        effect=float(off[worst]),
        p_value=_together(tested),
        psi=psi,
        null_psi=psi_by_chance(round(1 / gap.doubt) if gap.doubt else found.reference_n, found.n, bins),
        findings=(*found.findings, *_words(curve, gap, worst, limits)),
    )


def _together(p_values: Floats) -> float:
    """Harmonic mean: neighbouring bins tell nearly the same, and a minimum would pay for each of them."""
    return min(1.0, p_values.size / float(np.sum(1 / np.maximum(p_values, 1e-300))))


def _words(curve: Curve, gap: Gap, worst: int, limits: Detection) -> tuple[str, ...]:
    if abs(gap.change[worst]) < limits.min_effect or gap.p_values[worst] >= _SURELY:
        return ()
    where = f"up to {curve.cuts[worst]:.4g}" if curve.kind == "numeric" else f"in level {curve.levels[worst]!r}"
    return (f"{gap.seen[worst]:.1%} of the values lie {where}, {gap.expected[worst]:.1%} at other such times",)


def _gone(curve: Curve) -> FeatureDrift:
    return FeatureDrift(
        name=curve.name,
        kind=curve.kind,
        n=0,
        reference_n=curve.n,
        enough=False,
        missing_change=curve.n / (curve.n + curve.missing) if curve.n else 0.0,
        findings=(ABSENT,) if curve.n else (ABSENT, "the reference has no values"),
    )


def _missing_words(n: int, change: float) -> tuple[str, ...]:
    words = [] if n else ["no values at all"]
    if abs(change) >= WORTH_A_WORD:
        words.append(f"missing values {'rose' if change > 0 else 'fell'} by {abs(change):.1%} of the rows")
    return tuple(words)
