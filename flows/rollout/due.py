"""When a rollout should be looked at next, because time alone may move it."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from flows.rollout.machine import expires_at
from registry.records.rollout import Rollout
from registry.store.pulses import Pulse

NOTHING_DUE = timedelta(days=1)
"""How far the next look is where time alone changes nothing; looks on a schedule find everything else."""


def due_at(rollout: Rollout, pulse: Pulse | None, now: datetime) -> datetime:
    """
    Tell when time alone may next move *rollout*: a stay or a question that ends, a reminder, another weight.

    Args:
        rollout: As stored.
        pulse: Its last look; None before the first.
        now: On the model's clock.

    Returns:
        A moment that is not before *now*; *now* itself if something is due.
    """
    later = [moment for moment in _moments(rollout, pulse) if moment > now]
    if _is_due(rollout, pulse, now):
        return now
    return min(later, default=now + NOTHING_DUE)


def _is_due(rollout: Rollout, pulse: Pulse | None, now: datetime) -> bool:
    """Whether something has come due since the last look."""
    if not rollout.active or rollout.status == "paused":
        return False
    last = pulse.at if pulse is not None and pulse.step == rollout.step else rollout.step_started_at
    starts = rollout.status == "running" and rollout.step < 0
    return starts or any(last < moment <= now for moment in _moments(rollout, pulse))


def _moments(rollout: Rollout, pulse: Pulse | None) -> Iterator[datetime]:
    if rollout.status == "waiting_approval":
        yield from _of_the_question(rollout)
    elif rollout.status == "running" and rollout.step >= 0:
        mine = pulse is not None and pulse.step == rollout.step
        baked, last = (pulse.baked_s, pulse.at) if mine and pulse is not None else (0.0, rollout.step_started_at)
        yield from (last + timedelta(seconds=stay - baked) for stay in _stays(rollout, baked) if stay >= baked)


def _of_the_question(rollout: Rollout) -> Iterator[datetime]:
    if rollout.waiting is None:
        return
    yield rollout.waiting.since + timedelta(seconds=rollout.gate.remind_s * (rollout.waiting.reminded + 1))
    end = expires_at(rollout)
    if end is not None:
        yield end


def _stays(rollout: Rollout, baked: float) -> Iterator[float]:
    step = rollout.steps[rollout.step]
    yield from (step.min_s, step.max_s)
    if step.weighting == "thompson" and step.every_s > 0:
        yield step.every_s * max(rollout.turn + 1, math.floor(baked / step.every_s) + 1)
