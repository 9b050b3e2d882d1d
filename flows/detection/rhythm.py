"""At which pace a model is looked at and retrained; knows no framework."""

from collections.abc import Sequence
from datetime import time, timedelta
from typing import NamedTuple

from flows.config.detection.cadence import Cadence
from flows.config.operations import Schedule
from flows.detection.fusion.cadence import Rhythm

STEADY = 4
"""Looks in a row that must ask for a slower pace before it is taken."""
_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_NIGHT, _EVENING = time(3), time(20)


class Crons(NamedTuple):
    """
    The schedules of one model.

    Attributes:
        look: When it is looked at; None: as every model.
        retrain: When it is retrained.
        rebuild: Whether that is a full rebuild.
    """

    look: str | None
    retrain: str
    rebuild: bool


def length(rhythm: Rhythm, cadence: Cadence) -> timedelta:
    """Time between two retrainings; immediately is a matter of events, and goes on daily."""
    day = timedelta(days=1)
    return {"immediate": day, "daily": day, "weekly": cadence.early, "monthly": cadence.later}[rhythm]


def settled(current: timedelta | None, wishes: Sequence[timedelta], *, steady: int = STEADY) -> timedelta | None:
    """
    Follow the wishes of looks: a faster pace at once, a slower one only after several looks that agree.

    Args:
        current: The pace in force; None before the first.
        wishes: Of the looks, the newest first.
        steady: How many must agree on a slower one: the fastest of them is taken.

    Returns:
        The pace; None if nothing is known.

    Example:
        >>> hours = [timedelta(hours=n) for n in (6, 6, 3, 6)]
        >>> settled(timedelta(hours=3), hours), settled(timedelta(hours=12), hours)
        (datetime.timedelta(seconds=10800), datetime.timedelta(seconds=21600))
    """
    if not wishes or current is None or wishes[0] <= current:
        return wishes[0] if wishes else current
    if len(wishes) < steady:
        return current
    return max(current, min(wishes[:steady]))


def crons(look_every: timedelta, retrain_every: timedelta, cadence: Cadence, limits: Schedule) -> Crons:
    """
    Write a pace as schedules.

    Args:
        look_every, retrain_every: The pace.
        cadence: Its `check` is what every model has.
        limits: No retraining is nearer or further apart; off-peak hours say when in a day.
    """
    quiet = limits.quiet_hours
    begin = quiet[0] if quiet else _NIGHT
    every = min(max(retrain_every, limits.fastest), limits.slowest)
    if every <= timedelta(days=2):
        return Crons(_look(look_every, cadence), f"{begin.minute} {begin.hour} * * *", rebuild=False)
    if every <= timedelta(days=14):
        return Crons(_look(look_every, cadence), f"{begin.minute} {begin.hour} * * 1", rebuild=False)
    begin = quiet[0] if quiet else _EVENING
    return Crons(_look(look_every, cadence), f"{begin.minute} {begin.hour} * * 0#1", rebuild=True)


def _look(every: timedelta, cadence: Cadence) -> str | None:
    """None if the schedule of all models suffices."""
    if every >= cadence.check:
        return None
    hours = next((n for n in _HOURS if timedelta(hours=n) >= every), _HOURS[-1])
    return f"15 */{hours} * * *" if hours < 24 else "15 3 * * *"
