"""The form in which people answer."""

from enum import StrEnum
from typing import Any

import pydantic
from prefect.input import RunInput
from pydantic import Field

from registry.approval import LEAST_REASON, LONGEST_NAME, LONGEST_REASON
from registry.records.gate import GateState


class Answer(StrEnum):
    """Yes: it may go on. No: the rollout ends, and the champion stays."""

    YES = "yes"
    NO = "no"


class Answered(pydantic.BaseModel):
    """What the form brought, as plain text."""

    name: str
    role: str
    decision: str
    reason: str


def form_of(state: GateState, description: str) -> type[RunInput]:
    """
    Build the form for one gate; roles that are still missing come first.

    All roles can be chosen, because answers that were given before are read with it, too. Nothing is filled
    in beforehand: initial data would take the bounds of a field away.
    """
    order = dict.fromkeys((*state.missing, *state.roles))
    roles = StrEnum("Role", {role: role for role in order})  # type: ignore[misc]
    name = Field(
        title="Your name", min_length=2, max_length=LONGEST_NAME, description="As it shall be in the audit trail"
    )
    reason = Field(title="Reason", min_length=LEAST_REASON, max_length=LONGEST_REASON, description="Why; it is kept")
    fields: dict[str, Any] = {
        "name": (str, name),
        "role": (roles, Field(title="Role", description="As what you sign")),
        "decision": (Answer, Field(title="Decision", description="yes: it may go on; no: the rollout ends")),
        "reason": (str, reason),
    }
    form: type[RunInput] = pydantic.create_model("SignOff", __base__=RunInput, **fields)
    return form.with_initial_data(description=description)


def answered(form: RunInput) -> Answered:
    """Check again what the server has let through; it is the registry that decides."""
    return Answered.model_validate(form.model_dump(mode="json"))
