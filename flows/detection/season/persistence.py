"""A drift that the next look does not confirm was chance, or is over."""

from collections.abc import Sequence

import msgspec

from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.judging.verdict import report_of


def lasting(history: Sequence[DriftReport], looks: int = 2) -> DriftReport:
    """
    Keep what drifted in every one of the last looks.

    Two looks at other rows are wrong together far more rarely than one: what one window in a
    hundred does by chance, two in a row do once in ten thousand, but for the luck of the
    reference that they share. It costs one look of delay. A column that is gone needs no second look.

    Args:
        history: Reports, oldest first; those that had not enough data are left out.
        looks: In a row, at least one.

    Returns:
        The newest report, features that were not seen drifting in all of the looks being no
        drift any more; they say so. With fewer looks than asked for, nothing lasts yet.

    Raises:
        ValueError: If there is no report, or looks is below 1.
    """
    if looks < 1 or not history:
        raise ValueError(f"{len(history)} reports, {looks} looks; give at least one of each")
    newest = history[-1]
    if not newest.enough:
        return newest
    before = [report for report in history[:-1] if report.enough][-(looks - 1) :] if looks > 1 else []
    known = [{feature.name for feature in report.drifted} for report in before]
    judged = [_confirmed(feature, known, looks) for feature in newest.features]
    again = report_of(judged, (newest.reference_rows, newest.rows))
    waiting = len(newest.drifted) - len(again.drifted)
    said = f"{again.said}; {waiting} more wait for another look" if waiting else again.said
    return msgspec.structs.replace(newest, features=again.features, said=said)


def lasting_metrics(history: Sequence[DriftReport], looks: int = 2) -> dict[str, float | None]:
    """`lasting_features`: how many drifted in every one of the last looks; None until there were so many."""
    known = [report for report in history if report.enough]
    if len(known) < max(1, looks) or not history[-1].enough:
        return {"lasting_features": None}
    return {"lasting_features": float(len(lasting(history, looks).drifted))}


def _confirmed(feature: FeatureDrift, known: list[set[str]], looks: int) -> FeatureDrift:
    times = 1 + sum(1 for names in known if feature.name in names)
    if not feature.drifted or feature.gone or times == looks:
        return feature
    words = f"drifted in {times} of the last {looks} looks"
    return msgspec.structs.replace(feature, drifted=False, high=False, findings=(*feature.findings, words))
