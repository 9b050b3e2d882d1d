"""Rules by fixed thresholds, as habit has them; they know nothing of sample sizes and of the number of columns."""

import msgspec

from flows.config.detection.settings import Detection
from flows.detection.judging.report import FeatureDrift
from flows.detection.univariate.statistics import ColumnStatistics

WARNING = (
    "judged by plain rules, which fire in nearly every window of 50 features without drift "
    "(measured: 94 to 100 of 100); set detection.correction to bh for verdicts that chance does not move"
)


def fired(column: ColumnStatistics, limits: Detection) -> tuple[str, ...]:
    """
    Which rules one column breaks, in words.

    PSI beyond `detection.psi`; Kolmogorov-Smirnov, or chi-square of levels, with a p-value below
    `detection.ks_p`; more than `detection.outlier_share` of the values beyond 3 standard deviations.
    """
    p, test = (column.ks_p, "ks_p") if column.kind == "numeric" else (column.chi2_p, "chi2_p")
    rules = (
        (column.psi is not None and column.psi > limits.psi, f"plain rule psi > {limits.psi:g}"),
        (p is not None and p < limits.ks_p, f"plain rule {test} < {limits.ks_p:g}"),
        ((column.outliers or 0.0) > limits.outlier_share, f"plain rule outliers > {limits.outlier_share:g}"),
    )
    return tuple(words for breaks, words in rules if breaks)


def judged(feature: FeatureDrift, column: ColumnStatistics, limits: Detection) -> FeatureDrift:
    """Call drifted what breaks any rule, and highly drifted what breaks that of PSI; a lost column is both."""
    broken = fired(column, limits) if feature.enough else ()
    return msgspec.structs.replace(
        feature,
        adjusted=feature.p_value,
        missing_adjusted=feature.missing_p,
        drifted=bool(broken) or feature.gone,
        high=feature.gone or (feature.enough and feature.psi > limits.psi),
        findings=(*feature.findings, *broken),
    )
