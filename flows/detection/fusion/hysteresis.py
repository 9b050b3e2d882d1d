"""No flapping: what it takes to retrain again."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from flows.config.detection.settings import Detection
from flows.detection.fusion.decision import RetrainDecision
from registry.records.base import Record

_NOT_ASKED = ("manual", "emergency")
_BY_CALENDAR = ("age", "volume", "schedule")


class Former(Record, frozen=True, kw_only=True):
    """
    A look of the past.

    Attributes:
        triggered: A rule asked for a retraining, whether or not it was held back.
        retrained: One was begun.
    """

    at: datetime
    triggered: bool
    confidence: float
    harm: float | None = None
    retrained: bool = False


def held(decision: RetrainDecision, formers: Sequence[Former], now: datetime, limits: Detection) -> RetrainDecision:
    """
    Hold a triggered decision back where it comes too soon after a retraining.

    Within the cool-down nothing retrains but a person. Within `fusion.settle` a signal must
    last for `fusion.persist` looks, or show `fusion.again` times the harm that was last retrained
    for; age, volume and schedule need neither.

    Args:
        decision: Of this look.
        formers: In any order; those at or after *now* have no part.
        now: Of this look.
        limits: cooldown and fusion.
    """
    if not decision.triggered or decision.trigger in _NOT_ASKED:
        return decision
    past = sorted((one for one in formers if one.at < now), key=lambda one: one.at)
    why = _obstacle(decision, past, now, limits)
    return decision if why is None else msgspec.structs.replace(decision, triggered=False, held_back=why)


def lasted(decision: RetrainDecision, past: Sequence[Former], stop: float) -> int:
    """
    Looks in a row, this one included, that the alarm has been on.

    It begins when a rule asks for a retraining, and ends only when none does and confidence is
    below *stop*: the bar to end it is lower than the one to begin it.

    Args:
        decision: Of this look.
        past: Earlier looks since the last retraining, oldest first.
        stop: Confidence below which an alarm ends.
    """
    count = 0
    for asked, confidence in [*((one.triggered, one.confidence) for one in past), _asking(decision)]:
        on = asked or (count > 0 and confidence >= stop)
        count = count + 1 if on else 0
    return count


def _asking(decision: RetrainDecision) -> tuple[bool, float]:
    return decision.triggered or decision.held_back is not None, decision.confidence


def _obstacle(decision: RetrainDecision, past: Sequence[Former], now: datetime, limits: Detection) -> str | None:
    begun = [index for index, one in enumerate(past) if one.retrained]
    if not begun:
        return None
    last, since = past[begun[-1]], past[begun[-1] + 1 :]
    if now - last.at < limits.cooldown:
        return f"the retraining of {last.at:%Y-%m-%d %H:%M} is younger than the cool-down"
    if decision.trigger in _BY_CALENDAR or now - last.at >= limits.fusion.settle:
        return None
    return None if _stronger(decision, last, limits.fusion.again) else _too_short(decision, since, limits)


def _stronger(decision: RetrainDecision, last: Former, again: float) -> bool:
    return decision.harm is not None and last.harm is not None and decision.harm > again * last.harm > 0


def _too_short(decision: RetrainDecision, since: Sequence[Former], limits: Detection) -> str | None:
    looks, wanted = lasted(decision, since, limits.fusion.stop), limits.fusion.persist
    if looks >= wanted:
        return None
    return f"seen at {looks} of {wanted} looks since the last retraining, and not stronger than what led to that"
