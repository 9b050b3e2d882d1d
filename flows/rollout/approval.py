"""Who must agree before a challenger answers the first caller."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from registry.approval import ROLES, approval_digest, is_agreed, is_approved
from registry.people import person
from registry.records.rollout import Gate
from registry.store.registry import Registry

__all__ = ["ROLES", "approval_digest", "approve", "is_agreed", "is_approved", "missing_roles", "stand_ins"]


def missing_roles(approvals: Iterable[Mapping[str, Any]], digest: str, roles: Sequence[str] = ROLES) -> tuple[str, ...]:
    """Roles nobody has agreed in yet."""
    given = {one["role"] for one in approvals if one["decision_digest"] == digest}
    return tuple(role for role in roles if role not in given)


def stand_ins(gate: Gate, who: str) -> dict[str, str]:
    """
    Name somebody for every role of *gate*, where nobody can be asked: whoever is on its list, else *who*.

    Example:
        >>> stand_ins(Gate(approvers={"ml_lead": ("ann",)}), "replay")
        {'ml_lead': 'ann', 'business_owner': 'replay-business_owner'}
    """
    names: dict[str, str] = {}
    for role in gate.roles:
        free = [one for one in gate.approvers.get(role, ()) if person(one) not in map(person, names.values())]
        names[role] = free[0] if free else f"{who}-{role}"
    return names


def approve(
    registry: Registry, rollout_id: str, *, actor: str, role: str, reason: str, at: datetime, via: str = ""
) -> bool:
    """
    Record that *actor* agrees in *role*; the next tick goes on once all have.

    Returns:
        Whether the rollout is now fully approved.

    Raises:
        NotFound: If there is no such rollout.
        StageConflict: If it is over.
        ApprovalRefused: With all that speaks against it; see `Registry.sign`.
    """
    return registry.sign(rollout_id, actor=actor, role=role, reason=reason, at=at, via=via).complete
