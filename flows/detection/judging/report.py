"""What is said of a window: one verdict per feature, and one of the whole."""

from typing import Literal

from flows.detection.univariate.statistics import ABSENT, ColumnStatistics
from registry.records.base import Record


class FeatureDrift(Record, frozen=True, kw_only=True):
    """
    One feature.

    Attributes:
        n: Values in the window; reference_n: in the reference.
        enough: False means "too few values to say anything", never "no drift".
        psi: Population stability index; null_psi: its 99.9 % quantile without drift.
        statistic: Kolmogorov-Smirnov D, or Cramer's V of a categorical.
        effect: The statistic less what chance gives; at least `detection.min_effect` where
            a feature drifted.
        p_value: Before, adjusted: after correction over all tests of the window and for a
            reference that meets many windows; below `detection.fdr` where a feature drifted.
            A trifle is no test, and its adjusted p-value is 1.
        missing_change: Share of missing values now minus in the reference, with its own
            missing_p and missing_adjusted.
        outlier_share: Share of values beyond 3 standard deviations of the reference.
        scaled: Wasserstein distance in spreads of the reference; jensen_shannon: 0 to 1.
            None where they could not be measured.
        drifted: Significant, and large enough to matter, be it of values or of the share
            of missing ones; or gone.
        high: Drifted, with a PSI beyond the threshold and beyond chance; or by missing
            values; or gone.
        findings: What a person should know, in words.
        statistics: All that was measured; None where a report was read back, or the season was asked.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    n: int
    reference_n: int = 0
    enough: bool = True
    psi: float = 0.0
    null_psi: float = 0.0
    statistic: float = 0.0
    effect: float = 0.0
    p_value: float = 1.0
    adjusted: float = 1.0
    missing_change: float = 0.0
    missing_p: float = 1.0
    missing_adjusted: float = 1.0
    outlier_share: float = 0.0
    scaled: float | None = None
    jensen_shannon: float | None = None
    drifted: bool = False
    high: bool = False
    findings: tuple[str, ...] = ()
    statistics: ColumnStatistics | None = None

    @property
    def gone(self) -> bool:
        """Whether there was a column, and is none."""
        return ABSENT in self.findings and self.reference_n > 0

    @property
    def doubt(self) -> float:
        """How likely chance alone would show as much: the smallest p-value behind the judgement."""
        return 0.0 if self.gone else min(self.adjusted, self.missing_adjusted)


class DriftReport(Record, frozen=True, kw_only=True):
    """
    All features of one window against the reference.

    Attributes:
        enough: False means "not enough data", never "no drift".
        plain: Judged by fixed thresholds, without regard to chance.
        features: Most drifted first.
        score_drift: Of the predictions; label_drift: of the labels; each judged by itself,
            and None unless both sides have some.
    """

    reference_rows: int
    rows: int
    enough: bool
    said: str
    plain: bool = False
    features: tuple[FeatureDrift, ...] = ()
    score_drift: FeatureDrift | None = None
    label_drift: FeatureDrift | None = None

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """Features that drifted."""
        return tuple(feature for feature in self.features if feature.drifted)

    @property
    def high(self) -> tuple[FeatureDrift, ...]:
        """Features at high drift."""
        return tuple(feature for feature in self.features if feature.high)

    def _beside(self) -> dict[str, float | None]:
        found = {"prediction_drift": self.score_drift, "label_drift": self.label_drift}
        return {name: float(one.drifted) if one is not None and one.enough else None for name, one in found.items()}

    def metrics(self) -> dict[str, float | None]:
        """
        Counts and maxima over features, by the names that rules use; None for what is not known.

        Features with too few values have no part in the maxima of what only values can show.
        """
        known: dict[str, float | None] = {"rows": float(self.rows), **self._beside()}
        if not self.enough:
            return known | dict.fromkeys(_METRICS)
        measured = [feature for feature in self.features if feature.enough]
        return known | {
            "drifted_features": float(len(self.drifted)),
            "high_drift_features": float(len(self.high)),
            "max_psi": max((feature.psi for feature in measured), default=None),
            "max_ks": max((feature.statistic for feature in measured), default=None),
            "outlier_share": max((feature.outlier_share for feature in measured), default=None),
            "missing_increase": max((feature.missing_change for feature in self.features), default=0.0),
        }


_METRICS = ("drifted_features", "high_drift_features", "max_psi", "max_ks", "outlier_share", "missing_increase")
