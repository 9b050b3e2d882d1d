"""Who signs in a replay, where nobody can be asked."""

from registry.people import person
from registry.records.rollout import Gate


def stand_ins(gate: Gate, who: str) -> dict[str, str]:
    """
    Name somebody for every role of *gate*: whoever is on its list and has no role yet, else *who*.

    Example:
        >>> stand_ins(Gate(approvers={"ml_lead": ("ann",)}), "replay")
        {'ml_lead': 'ann', 'business_owner': 'replay-business_owner'}
    """
    names: dict[str, str] = {}
    for role in gate.roles:
        free = [one for one in gate.approvers.get(role, ()) if person(one) not in map(person, names.values())]
        names[role] = free[0] if free else f"{who}-{role}"
    return names
