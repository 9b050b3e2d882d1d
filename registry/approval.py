"""Who must agree before a challenger answers the first caller."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from registry.records.rollout import Rollout
from registry.store.registry import Registry

ROLES = ("ml_lead", "business_owner")


def approval_digest(registry: Registry, rollout: Rollout) -> str:
    """
    What an approval is bound to: the decision that the person has read.

    A rollout that somebody began without a decision is bound to its own plan of steps.
    """
    if rollout.decision_id:
        return registry.decision(rollout.decision_id).digest()
    plan = f"{rollout.id} {rollout.champion} {rollout.challenger} {rollout.steps!r}"
    return hashlib.sha256(plan.encode()).hexdigest()


def is_approved(approvals: Iterable[Mapping[str, Any]], digest: str) -> bool:
    """
    Whether every role has agreed to exactly this decision, each by another person.

    Example:
        >>> yes = [{"role": "ml_lead", "actor": "ann", "decision_digest": "d"}]
        >>> is_approved(yes, "d")
        False
        >>> is_approved([*yes, {"role": "business_owner", "actor": "bob", "decision_digest": "d"}], "d")
        True
    """
    valid = [one for one in approvals if one["decision_digest"] == digest]
    people = {role: {one["actor"] for one in valid if one["role"] == role} for role in ROLES}
    leads, owners = (people[role] for role in ROLES)
    return any(lead != owner for lead in leads for owner in owners)
