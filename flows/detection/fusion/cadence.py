"""When to look again, and how often to retrain."""

from datetime import datetime, timedelta
from typing import Literal

from flows.config.detection.cadence import Cadence
from registry.records.base import Record
from registry.records.retraining import Severity

Rhythm = Literal["monthly", "weekly", "daily", "immediate"]
_DAY = timedelta(days=1)
_CALM = 0.1  # confidence below which a model that is no longer young is looked at half as often


class Pace(Record, frozen=True, kw_only=True):
    """
    What a decision means for the calendar.

    Attributes:
        next_check: Time until the next look.
        rhythm: How often to retrain while things are as they are.
        every: The same as a length; zero for immediately.
        said: Why.
    """

    next_check: timedelta
    rhythm: Rhythm
    every: timedelta
    said: str


def pace(severity: Severity, confidence: float, in_service: timedelta | None, limits: Cadence) -> Pace:
    """
    Set the pace: the worse it looks, the sooner.

    Args:
        severity: Of the decision; with its confidence.
        in_service: Since the model's first version was trained; None if not known, which counts as young.
        limits: Which no pace leaves.
    """
    young = in_service is None or in_service < limits.young
    if severity == "CRITICAL":
        return _paced(limits.fastest, "immediate", timedelta(0), "the loss is critical", limits)
    if severity == "HIGH":
        return _paced(limits.check / 4, "daily", min(_DAY, limits.early), "much of the loss is avoidable", limits)
    if severity == "MEDIUM":
        return _paced(limits.check / 2, "weekly", min(limits.early, limits.later), "some drift hurts", limits)
    if young:
        return _paced(limits.check, "weekly", limits.early, "the model is young", limits)
    calm = confidence < _CALM
    return _paced(limits.check * (2 if calm else 1), "monthly", limits.later, "little changes", limits)


def overdue(last_trained: datetime, first_trained: datetime, now: datetime, limits: Cadence) -> float:
    """Days since the scheduled retraining was due, early or later by the age of the model; below 0 before that."""
    every = limits.early if now - first_trained < limits.young else limits.later
    return (now - last_trained - every) / _DAY


def _paced(check: timedelta, rhythm: Rhythm, every: timedelta, said: str, limits: Cadence) -> Pace:
    inside = min(max(check, limits.fastest), limits.slowest)
    return Pace(next_check=inside, rhythm=rhythm, every=every, said=f"{rhythm}: {said}")
