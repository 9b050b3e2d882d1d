"""Whether a scheduled look is due, and when an extra one is; no framework in here."""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from flows.config.detection.cadence import Cadence
from flows.config.durations import text
from flows.detection.look import Look
from flows.detection.sources import TABLE
from registry.store.registry import Registry

HALF_A_SCHEDULE = timedelta(hours=3)
"""A look that is due at another time is left to the scheduled one next to it, of those that are 6 hours apart."""
_NEARLY = 0.9  # of the least distance: a schedule is kept to the second by nobody
_BACK = 20  # reports, of which most may be of tables
ACTION, ACTOR = "cadence.changed", "understudy"


class _Decision(msgspec.Struct, frozen=True):
    next_check: timedelta | None = None
    cadence: str | None = None


class _Report(msgspec.Struct, frozen=True):
    at: datetime
    decision: _Decision = _Decision()
    source: str = "log"


class LastLook(NamedTuple):
    """When a model was looked at last, and what its decision said about the next time."""

    at: datetime
    next_check: timedelta | None
    cadence: str | None


def last_look(registry: Registry, model: str) -> LastLook | None:
    """Read it from the newest report that is none of a table; None if there is none, or it cannot be read."""
    for report in registry.drift_reports(model, limit=_BACK):
        try:
            found = msgspec.convert(report, _Report)
        except msgspec.ValidationError:
            return None
        if found.source != TABLE:
            return LastLook(found.at, found.decision.next_check, found.decision.cadence)
    return None


def not_due(last: LastLook | None, now: datetime, limits: Cadence) -> str | None:
    """
    Say why a scheduled look is left out, or None if it is due.

    The look nearest to the wished time is made: one that comes earlier by more than half a schedule waits.
    """
    if last is None or last.at > now:
        return None
    since, ago = now - last.at, f"the last look was {text(_whole(now - last.at))} ago"
    if since < _NEARLY * limits.fastest:
        return f"{ago}, and no two are closer than {text(limits.fastest)} (detection.cadence.fastest)"
    wish = last.next_check or limits.check
    if wish - since > min(HALF_A_SCHEDULE, limits.check / 2):
        return f"{ago}, and its decision wants the next after {text(_whole(wish))}"
    return None


def extra(look: Look, limits: Cadence) -> datetime | None:
    """When to look again without waiting for the schedule; None if that is soon enough."""
    wish = max(look.decision.next_check, limits.fastest)
    return look.at + wish if wish < limits.check else None


def note_pace(registry: Registry, before: LastLook | None, look: Look, limits: Cadence) -> bool:
    """Write a changed pace into the audit trail; returns whether it changed."""
    was, now = (before and before.next_check) or limits.check, look.decision.next_check
    if was == now:
        return False
    registry.record(
        actor=ACTOR,
        action=ACTION,
        model=look.model,
        subject=look.model,
        reason=f"severity {look.decision.severity}, confidence {look.decision.confidence:.0%}",
        at=look.at,
        before={"next_check": text(was), "retraining": before.cadence if before else None},
        after={"next_check": text(now), "retraining": look.decision.cadence},
    )
    return True


def _whole(length: timedelta) -> timedelta:
    """As people say it: in minutes, if there are any."""
    unit = 60 if length >= timedelta(minutes=1) else 1
    return timedelta(seconds=round(length.total_seconds() / unit) * unit)
