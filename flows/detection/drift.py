"""Data drift of one window against a reference: every feature judged, gates against noise and trifles."""

import msgspec
import polars as pl

from flows.config.detection.settings import Detection
from flows.config.model import ModelConfig
from flows.detection.columns import FeatureDrift, Numbers, absent, categorical_drift, numeric_drift
from flows.detection.measures import adjusted
from flows.detection.profile import NumericProfile, ReferenceProfile, profile
from registry.records.base import Record

MISSING_STEP = 0.1  # a change of the missing share that matters
_NAMED = 5


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
        config: Its thresholds; the features are the profile's, since the champion knows those.
    """
    limits = config.detection
    rows = frame.height
    if rows < limits.min_rows:
        said = f"not enough data: {rows} rows, {limits.min_rows} are needed"
        return DriftReport(reference_rows=reference.rows, rows=rows, enough=False, said=said)
    features = sorted(judged(_compared(reference, frame, limits), limits), key=_order)
    return DriftReport(
        reference_rows=reference.rows,
        rows=rows,
        enough=any(feature.enough or feature.drifted for feature in features),
        said=_said(features),
        features=tuple(features),
        score_drift=_score_drift(reference, frame, limits),
    )


def drift_between(reference: pl.DataFrame, current: pl.DataFrame, config: ModelConfig) -> DriftReport:
    """Compare two tables."""
    return drift(profile(reference, config), current, config)


def judged(found: list[FeatureDrift], limits: Detection) -> list[FeatureDrift]:
    """
    Decide which features drifted, all tests of a window corrected together.

    Only columns with enough values are tested, and missing values only where their share
    changed, so that what cannot be told apart costs no power.
    """
    measured = [feature for feature in found if feature.enough]
    changed = [feature for feature in found if feature.missing_change and not feature.gone]
    corrected = _corrected([*(f.p_value for f in measured), *(f.missing_p for f in changed)], limits)
    values = dict(zip((f.name for f in measured), corrected[: len(measured)], strict=True))
    missing = dict(zip((f.name for f in changed), corrected[len(measured) :], strict=True))
    return [_judged(f, values.get(f.name, 1.0), missing.get(f.name, 1.0), limits) for f in found]


def _compared(reference: ReferenceProfile, frame: pl.DataFrame, limits: Detection) -> list[FeatureDrift]:
    numeric = [
        _numeric(name, was, frame[name], limits) if name in frame.columns else absent(name, was)
        for name, was in reference.numeric.items()
    ]
    categorical = [
        categorical_drift(name, was, frame[name]) if name in frame.columns else absent(name, was)
        for name, was in reference.categorical.items()
    ]
    return [*numeric, *categorical]


def _judged(feature: FeatureDrift, q_value: float, missing_q: float, limits: Detection) -> FeatureDrift:
    level = _level(limits)
    broken = feature.gone or (missing_q < level and abs(feature.missing_change) > MISSING_STEP)
    moved = feature.enough and q_value < level and feature.statistic >= limits.min_effect
    return msgspec.structs.replace(
        feature,
        adjusted=q_value,
        missing_adjusted=missing_q,
        drifted=broken or moved,
        high=broken or (moved and feature.psi > max(limits.psi, feature.null_psi)),
    )


def _corrected(p_values: list[float], limits: Detection) -> list[float]:
    return adjusted(p_values) if limits.correction == "bh" else p_values


def _order(feature: FeatureDrift) -> tuple[bool, float, str]:
    """Most drifted first: a lost column or many lost values weigh as much as a D or V of that size."""
    moved = max(feature.statistic, abs(feature.missing_change))
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


def _level(limits: Detection) -> float:
    return limits.fdr if limits.correction == "bh" else limits.ks_p


def _numeric(name: str, was: NumericProfile, column: pl.Series, limits: Detection) -> FeatureDrift:
    return numeric_drift(name, Numbers.stored(was), Numbers.of(column), limits)


def _score_drift(reference: ReferenceProfile, frame: pl.DataFrame, limits: Detection) -> FeatureDrift | None:
    if reference.score is None or reference.score.n == 0 or "_score" not in frame.columns:
        return None
    return judged([_numeric("score", reference.score, frame["_score"], limits)], limits)[0]
