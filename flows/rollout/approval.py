"""Who must agree before a challenger answers the first caller."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flows.rollout.errors import ApprovalRefused
from registry.approval import ROLES, approval_digest, is_approved
from registry.records.rollout import Rollout
from registry.store.registry import Registry

__all__ = ["ROLES", "approval_digest", "approve", "is_approved", "missing_roles"]


def missing_roles(approvals: Iterable[Mapping[str, Any]], digest: str) -> tuple[str, ...]:
    """Roles nobody has agreed in yet."""
    given = {one["role"] for one in approvals if one["decision_digest"] == digest}
    return tuple(role for role in ROLES if role not in given)


def approve(registry: Registry, rollout_id: str, *, actor: str, role: str, reason: str, at: datetime) -> bool:
    """
    Record that *actor* agrees in *role*; the next tick goes on once all have.

    Returns:
        Whether the rollout is now fully approved.

    Raises:
        NotFound: If there is no such rollout.
        ApprovalRefused: If the role is unknown, the rollout is over, or the same person
            already agreed in another role.
    """
    rollout = registry.rollout(rollout_id)
    digest = approval_digest(registry, rollout)
    given = registry.approvals(rollout_id)
    _refuse(rollout, given, digest, actor, role)
    registry.approve(rollout_id, actor=actor, role=role, reason=reason, at=at, decision_digest=digest)
    return is_approved([*given, {"role": role, "actor": actor, "decision_digest": digest}], digest)


def _refuse(rollout: Rollout, given: list[dict[str, Any]], digest: str, actor: str, role: str) -> None:
    what = f"The approval of {rollout.id} by {actor!r} was not recorded."
    if role not in ROLES:
        raise ApprovalRefused(what, f"{role!r} is no role that approves.", f"Use one of {', '.join(ROLES)}.")
    if not rollout.active:
        raise ApprovalRefused(what, f"The rollout is over: {rollout.status}.", "Approve a rollout that still runs.")
    other = {one["role"] for one in given if one["actor"] == actor and one["decision_digest"] == digest} - {role}
    if other:
        raise ApprovalRefused(
            what, f"{actor!r} already agreed as {', '.join(other)}.", f"Another person must agree as {role}."
        )
