"""Judged features as lines of a report."""

from collections.abc import Iterable, Mapping

from flows.detection.judging.report import FeatureDrift
from flows.reports.drift.content import FeatureLine


def lines(features: Iterable[FeatureDrift], importance: Mapping[str, float] | None = None) -> tuple[FeatureLine, ...]:
    """
    Lines in the order given.

    Args:
        importance: Share of each feature in the predictions, if known.
    """
    known = importance or {}
    return tuple(
        FeatureLine(
            name=one.name,
            kind=one.kind,
            drifted=one.drifted,
            high=one.high,
            statistic=one.statistic,
            adjusted=one.adjusted,
            psi=one.psi,
            null_psi=one.null_psi,
            missing_change=one.missing_change,
            importance=known.get(one.name),
            findings=one.findings,
            measured=one.enough,
        )
        for one in features
    )
