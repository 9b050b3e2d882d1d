"""Who was asked, who has signed, and what that is bound to."""

from datetime import datetime
from typing import Literal

from registry.records.base import Record
from registry.records.rollout import Question

Answer = Literal["approve", "reject"]


class SignOff(Record, frozen=True, kw_only=True):
    """
    One person's consent.

    Attributes:
        bound_to: What they have read; it counts for nothing else.
    """

    role: str
    actor: str
    reason: str
    at: datetime
    bound_to: str


class GateState(Record, frozen=True, kw_only=True):
    """
    Where the approval of one rollout stands.

    Attributes:
        question: What people are asked now; None while nothing is asked (signing is possible all the same).
        said: Why they are asked, with the numbers.
        bound_to: Digest that a sign-off names: of rollout, step, both artifacts, the decision shown, steps and gate.
        roles: One sign-off each, by different people.
        approvers: Who may sign, by role; anybody for a role that is not named.
        signed: Sign-offs that count.
        stale: Sign-offs that were given for another report, and count no more.
        missing: Roles nobody has signed in.
        complete: Whether the gate is open.
        since, expires_at: When they were asked, and until when; on the model's clock.
    """

    rollout: str
    model: str
    champion: str
    challenger: str
    status: str
    step: int
    revision: int
    question: Question | None
    said: str
    bound_to: str
    decision_id: str | None
    roles: tuple[str, ...]
    approvers: dict[str, tuple[str, ...]]
    signed: tuple[SignOff, ...]
    stale: tuple[SignOff, ...]
    missing: tuple[str, ...]
    complete: bool
    since: datetime | None = None
    expires_at: datetime | None = None
    on_expiry: str = "abort"
