"""What went wrong with a version that answered callers, and what was done about it."""

from datetime import datetime
from typing import Any, Literal

from registry.records.base import Record

IncidentKind = Literal["rollout", "watch", "guard", "person"]


class Incident(Record, frozen=True, kw_only=True):
    """
    One rollback, written up.

    Attributes:
        id: e.g. "i-0003".
        kind: Who took the version off: a verdict of the rollout, the watch after a promotion, a guard of
            the router, or a person.
        version: What was taken off.
        restored: What answers since.
        rollout_id: The rollout that it ended, if any.
        epoch: Of the plan that gave the callers back.
        cause: One sentence with the numbers.
        at: On the model's clock.
        actor: Who did it.
        facts: What was seen: counts, figures, times; numbers and names only.
    """

    id: str
    model: str
    kind: IncidentKind
    version: str
    restored: str
    rollout_id: str | None = None
    epoch: int
    cause: str
    at: datetime
    actor: str
    facts: dict[str, Any] = {}
