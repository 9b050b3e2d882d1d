"""Remind people who were asked and have not answered; by the model's clock, not by that of a form."""

from datetime import datetime

import msgspec

from flows.notify import notice_of
from flows.notify.messages import approval_expired, approval_reminded
from flows.rollout.announce import form
from flows.rollout.desk import Desk
from registry.approval import is_agreed
from registry.errors import PlanConflict
from registry.records.notice import Notice
from registry.records.rollout import Rollout, Waiting
from registry.store.registry import Registry

ACTOR = "rollout"


def remind(desk: Desk, rollout: Rollout, now: datetime) -> Rollout:
    """
    Remind whoever has not signed, once per `gate.remind_s`; a look that comes late reminds once for all it missed.

    Safe to call at every look: of two looks at once one writes. A question that expires and is not to end the
    rollout is said to have expired, once; the end itself is a move of the rollout.

    Args:
        desk: Owns the registry.
        rollout: As stored.
        now: On the model's clock.

    Returns:
        The rollout as it is afterwards.
    """
    waiting = rollout.waiting
    if rollout.status != "waiting_approval" or waiting is None or is_agreed(desk.registry, rollout):
        return rollout
    waited = (now - waiting.since).total_seconds()
    if waited >= rollout.gate.expire_s:
        if rollout.gate.on_expiry == "abort":
            return rollout
        desk.registry.add_notice(_expired(rollout, waiting))
    due = int(waited // rollout.gate.remind_s)
    if due <= waiting.reminded:
        return rollout
    try:
        return _again(desk.registry, rollout, waiting, due, now)
    except PlanConflict:  # somebody else moved it first
        return desk.registry.rollout(rollout.id)


def _again(registry: Registry, rollout: Rollout, waiting: Waiting, due: int, now: datetime) -> Rollout:
    missing = registry.gate(rollout.id).missing
    hours = (now - waiting.since).total_seconds() / 3600
    told = approval_reminded(
        rollout.model, rollout.id, rollout.challenger, missing or rollout.gate.roles, hours, form()
    )
    notice = notice_of(told, model=rollout.model, key=f"{rollout.id}:remind:{rollout.revision}:{due}")
    reminded = msgspec.structs.replace(waiting, reminded=due)
    moved = msgspec.structs.replace(rollout, revision=rollout.revision + 1, waiting=reminded)
    reason = f"reminder {due}: nobody has signed as {' or '.join(missing) or 'another person'}"
    return registry.move_rollout(moved, actor=ACTOR, reason=reason, at=now, notices=[notice])


def _expired(rollout: Rollout, waiting: Waiting) -> Notice:
    told = approval_expired(rollout.model, rollout.id, rollout.challenger, ended=False)
    return notice_of(told, model=rollout.model, key=f"{rollout.id}:expired:{waiting.since.isoformat()}")
