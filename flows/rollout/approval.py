"""Who must agree before a challenger answers the first caller."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from registry.approval import ROLES, approval_digest, is_agreed, is_approved
from registry.store.registry import Registry

__all__ = ["ROLES", "approval_digest", "approve", "is_agreed", "is_approved", "missing_roles"]


def missing_roles(approvals: Iterable[Mapping[str, Any]], digest: str, roles: Sequence[str] = ROLES) -> tuple[str, ...]:
    """Roles nobody has agreed in yet."""
    given = {one["role"] for one in approvals if one["decision_digest"] == digest}
    return tuple(role for role in roles if role not in given)


def approve(registry: Registry, rollout_id: str, *, actor: str, role: str, reason: str, at: datetime) -> bool:
    """
    Record that *actor* agrees in *role*; the next tick goes on once all have.

    Returns:
        Whether the rollout is now fully approved.

    Raises:
        NotFound: If there is no such rollout.
        StageConflict: If it is over.
        ApprovalRefused: With all that speaks against it; see `Registry.sign`.
    """
    return registry.sign(rollout_id, actor=actor, role=role, reason=reason, at=at).complete
