"""
Which columns drifted: significant among all tests of the window, and large enough to matter.

Sources:
    Benjamini and Hochberg (1995) over the values and the missing values of all columns. A
    change below the effect gate is asked as if its p-value were 1, so that a hundred trifles
    that many rows prove do not lower the bar for the others.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from flows.config.detection.settings import Detection
from flows.detection.judging import plain_rules
from flows.detection.judging.chance import psi_by_chance, share_change
from flows.detection.judging.evidence import effect, p_value, statistic
from flows.detection.judging.findings import LEAST, findings, unread
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.univariate.statistics import ColumnStatistics
from flows.stats.multiplicity import adjusted

MISSING_STEP = 0.1  # a change of the missing share that matters
REUSE = 5.0
"""One reference meets every window, and its luck with it: with p-values five times as large all but
few references keep the promise for themselves, not just on the average over references."""
_NAMED = 5
_TINY = -700.0  # log of the least p-value that is a float


def judge(
    statistics: Iterable[ColumnStatistics],
    limits: Detection,
    *,
    plain: bool | None = None,
    rows: tuple[int, int] | None = None,
) -> DriftReport:
    """
    Judge all columns of one window together.

    Args:
        statistics: One of each column.
        limits: Thresholds; `correction: none` asks for the plain rules.
        plain: Whether to judge by the plain rules; by the configuration if None.
        rows: Of the reference and of the window, if they are known better than by columns.
    """
    columns = list(statistics)
    before, now = rows or _rows(columns)
    if now < limits.min_rows:
        said = f"not enough data: {now} rows, {limits.min_rows} are needed"
        return DriftReport(reference_rows=before, rows=now, enough=False, said=said)
    plainly = limits.correction == "none" if plain is None else plain
    report = report_of(judged(columns, limits, rows=now, plain=plainly), (before, now))
    if not plainly:
        return report
    return msgspec.structs.replace(report, plain=True, said=f"{report.said}; {plain_rules.WARNING}")


def report_of(features: Iterable[FeatureDrift], rows: tuple[int, int]) -> DriftReport:
    """
    Put judged features in order and say what they come to.

    Args:
        features: Judged together.
        rows: Of the reference and of the window.
    """
    ordered = sorted(features, key=_order)
    return DriftReport(
        reference_rows=rows[0],
        rows=rows[1],
        enough=any(feature.enough or feature.drifted for feature in ordered),
        said=_said(ordered),
        features=tuple(ordered),
    )


def judged(
    statistics: Sequence[ColumnStatistics], limits: Detection, *, rows: int, plain: bool = False
) -> tuple[FeatureDrift, ...]:
    """Judge columns together, in the order given; all *rows* of one that could not be read count as missing."""
    measured = [_measured(column, limits, rows) for column in statistics]
    if plain:
        return tuple(plain_rules.judged(one, column, limits) for one, column in zip(measured, statistics, strict=True))
    return decided(measured, limits)


def _measured(column: ColumnStatistics, limits: Detection, rows: int) -> FeatureDrift:
    missing = rows if unread(column) and column.reference_n else column.missing
    change, missing_p = share_change(
        (column.reference_missing, column.reference_n + column.reference_missing), (missing, column.n + missing)
    )
    found = FeatureDrift(
        name=column.name,
        kind=column.kind,
        n=column.n,
        reference_n=column.reference_n,
        enough=min(column.n, column.reference_n) >= LEAST,
        missing_change=change,
        missing_p=missing_p,
        outlier_share=column.outliers or 0.0,
        findings=findings(column, change, limits),
        statistics=column,
    )
    return _valued(found, column) if found.enough else found


def _valued(found: FeatureDrift, column: ColumnStatistics) -> FeatureDrift:
    return msgspec.structs.replace(
        found,
        statistic=statistic(column),
        effect=effect(column),
        p_value=p_value(column),
        psi=column.psi or 0.0,
        null_psi=psi_by_chance(column.reference_n, column.n, column.bins),
        scaled=column.scaled,
        jensen_shannon=column.jensen_shannon,
    )


def decided(measured: Sequence[FeatureDrift], limits: Detection) -> tuple[FeatureDrift, ...]:
    """
    Decide which of the measured features drifted, all tests of the window corrected together.

    Only what was measured is a test, and missing values only where their share changed.
    """
    valued = [feature for feature in measured if feature.enough]
    changed = [feature for feature in measured if feature.missing_change and not feature.gone]
    tests = [feature.p_value if feature.effect >= limits.min_effect else 1.0 for feature in valued]
    tests += [feature.missing_p if _matters(feature) else 1.0 for feature in changed]
    corrected = [min(1.0, REUSE * math.exp(log_p)) for log_p in adjusted([_log(p) for p in tests], method="bh")]
    values = dict(zip((f.name for f in valued), corrected[: len(valued)], strict=True))
    missing = dict(zip((f.name for f in changed), corrected[len(valued) :], strict=True))
    return tuple(_verdict(f, values.get(f.name, 1.0), missing.get(f.name, 1.0), limits) for f in measured)


def _matters(feature: FeatureDrift) -> bool:
    return abs(feature.missing_change) > MISSING_STEP


def _verdict(feature: FeatureDrift, q_value: float, missing_q: float, limits: Detection) -> FeatureDrift:
    broken = feature.gone or missing_q < limits.fdr
    moved = q_value < limits.fdr
    return msgspec.structs.replace(
        feature,
        adjusted=q_value,
        missing_adjusted=missing_q,
        drifted=broken or moved,
        high=broken or (moved and feature.psi > max(limits.psi, feature.null_psi)),
    )


def _log(p: float) -> float:
    return math.log(p) if p > 0 else _TINY


def _rows(columns: Sequence[ColumnStatistics]) -> tuple[int, int]:
    before = max((column.reference_n + column.reference_missing for column in columns), default=0)
    return before, max((column.n + column.missing for column in columns), default=0)


def _order(feature: FeatureDrift) -> tuple[bool, float, str]:
    """Most drifted first: a lost column or many lost values weigh as much as a D or V of that size."""
    moved = max(feature.effect, abs(feature.missing_change))
    return not feature.drifted, -moved, feature.name


def _said(features: list[FeatureDrift]) -> str:
    drifted = [feature.name for feature in features if feature.drifted]
    silent = [feature.name for feature in features if not feature.enough and not feature.drifted]
    if len(silent) == len(features):
        return "not enough data: no feature has enough values to compare"
    parts = [f"{len(drifted)} of {len(features)} features drifted" + (f": {_few(drifted)}" if drifted else "")]
    parts += [f"not enough values for {_few(silent)}"] if silent else []
    return "; ".join(parts)


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
