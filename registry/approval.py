"""Who must agree before a challenger answers the first caller: the rules, without a database."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from registry.people import likeness, mixes_alphabets, person
from registry.records.gate import GateState, SignOff
from registry.records.rollout import Gate, Question, Rollout
from registry.records.version import ModelVersion

if TYPE_CHECKING:
    from registry.store.registry import Registry

ROLES = Gate().roles
LEAST_REASON, LONGEST_REASON, LONGEST_NAME = 5, 2000, 128
LEAST_DIGEST = 12


class Wish(NamedTuple):
    """
    What a person says at the gate.

    Attributes:
        answer: "approve" or "reject".
        digest: What they have read, or its beginning; None for whatever is shown now.
        via: By which way it came, e.g. "form"; the audit trail has it.
    """

    actor: str
    role: str
    reason: str
    answer: str = "approve"
    digest: str | None = None
    via: str = ""


class Objection(NamedTuple):
    """
    Why a wish is refused.

    Attributes:
        forbidden: Whether somebody tried what they may not, and not only made a mistake.
    """

    why: str
    mend: str
    forbidden: bool = False


def approval_digest(registry: "Registry", rollout: Rollout) -> str:
    """
    What a sign-off is bound to, as *rollout* stands.

    Sha256 over its id and step, both versions with the digests of their artifacts, the decision that is
    shown, its steps and its gate: when any of these changes, people have to read and sign again.

    Args:
        registry: Knows versions and decisions.
        rollout: Need not be stored yet.
    """
    return registry.approval_digest(rollout)


def bound_digest(rollout: Rollout, champion: ModelVersion, challenger: ModelVersion, decision: str | None) -> str:
    """Compute the digest of `approval_digest` from what it covers; *decision* is the digest of the decision shown."""
    kept = Rollout.from_json(rollout.to_json())
    covered = {
        "rollout": kept.id,
        "step": kept.step,
        "champion": [champion.version, champion.artifact_digest],
        "challenger": [challenger.version, challenger.artifact_digest],
        "decision": [kept.decision_id, decision],
        "strategy": kept.strategy,
        "steps": kept.steps,
        "gate": kept.gate,
    }
    return hashlib.sha256(msgspec.json.encode(covered, order="sorted")).hexdigest()


def asks_people(rollout: Rollout) -> bool:
    """
    Whether the policy wants people to agree before the next step: once, before the first caller is answered.

    Example:
        The steps of a canary of 10, 50 and 100 % need one consent, after the shadow.
    """
    now = rollout.steps[rollout.step].share if rollout.step >= 0 else 0
    following = rollout.step + 1
    serves = following >= len(rollout.steps) or rollout.steps[following].share > 0
    return rollout.policy.require_approval and now == 0 and serves


def tidy(text: str) -> str:
    """As it is kept: without spaces around it and doubled ones."""
    return " ".join(text.split())


def is_approved(approvals: Iterable[Mapping[str, Any]], digest: str, roles: Sequence[str] = ROLES) -> bool:
    """
    Whether every role has agreed to exactly this, each by another person.

    Example:
        >>> yes = [{"role": "ml_lead", "actor": "ann", "decision_digest": "d"}]
        >>> is_approved(yes, "d")
        False
        >>> is_approved([*yes, {"role": "business_owner", "actor": "bob", "decision_digest": "d"}], "d")
        True
        >>> is_approved([*yes, {"role": "business_owner", "actor": "Ann ", "decision_digest": "d"}], "d")
        False
    """
    valid = [one for one in approvals if one["decision_digest"] == digest]
    return _all_different([{likeness(one["actor"]) for one in valid if one["role"] == role} for role in roles])


def is_agreed(registry: "Registry", rollout: Rollout) -> bool:
    """Whether everybody whom the gate of *rollout* names has agreed to it as it stands."""
    return is_approved(registry.approvals(rollout.id), approval_digest(registry, rollout), rollout.gate.roles)


def _all_different(people: list[set[str]]) -> bool:
    """Whether every role can be given to another person."""
    if not people:
        return True
    fewest, *rest = sorted(people, key=len)
    return any(_all_different([others - {one} for others in rest]) for one in fewest)


def gate_state(rollout: Rollout, digest: str, approvals: Iterable[Mapping[str, Any]]) -> GateState:
    """Tell where the approval stands; *approvals* are those of the rollout, oldest first."""
    given, waiting, gate = list(approvals), rollout.waiting, rollout.gate
    asked = waiting if rollout.active else None
    signed = tuple(_sign_off(one) for one in given if one["decision_digest"] == digest)
    return GateState(
        rollout=rollout.id,
        model=rollout.model,
        champion=rollout.champion,
        challenger=rollout.challenger,
        status=rollout.status,
        step=rollout.step,
        revision=rollout.revision,
        question=asked.question if asked else _implied(rollout),
        said=asked.said if asked else rollout.said,
        bound_to=digest,
        decision_id=rollout.decision_id,
        roles=gate.roles,
        approvers=gate.approvers,
        signed=signed,
        stale=tuple(_sign_off(one) for one in given if one["decision_digest"] != digest),
        missing=tuple(role for role in gate.roles if role not in {one.role for one in signed}),
        complete=is_approved(given, digest, gate.roles),
        since=asked.since if asked else None,
        expires_at=asked.since + timedelta(seconds=gate.expire_s) if asked else None,
        on_expiry=gate.on_expiry,
    )


def _implied(rollout: Rollout) -> Question | None:
    if rollout.status != "waiting_approval":
        return None
    return "begin" if rollout.step < 0 else "advance"


def _sign_off(one: Mapping[str, Any]) -> SignOff:
    return msgspec.convert(
        {name: one[name] for name in ("role", "actor", "reason", "at")} | {"bound_to": one["decision_digest"]}, SignOff
    )


def objections(state: GateState, wish: Wish, at: datetime) -> list[Objection]:
    """List all that speaks against taking *wish* at a moment of the model's clock; empty if it is taken."""
    return [
        *_in_its_form(state, wish),
        *_of_the_person(state, wish),
        *_of_what_was_read(state, wish),
        *_of_the_moment(state, wish, at),
    ]


def _in_its_form(state: GateState, wish: Wish) -> list[Objection]:
    found = []
    if not likeness(wish.actor):
        found.append(Objection("nobody is named", "Say who signs."))
    if mixes_alphabets(wish.actor):
        found.append(
            Objection(f"the name {wish.actor!r} mixes alphabets", "Write it in one, so that nobody mistakes it.")
        )
    if len(wish.actor) > LONGEST_NAME or not wish.actor.isprintable():
        found.append(Objection("the name is too long, or cannot be printed", f"Use at most {LONGEST_NAME} letters."))
    if wish.answer not in ("approve", "reject"):
        found.append(Objection(f"the answer is {wish.answer!r}", "Say approve or reject."))
    if len(person(wish.reason)) < LEAST_REASON:
        found.append(
            Objection(
                f"the reason {wish.reason!r} is too short", f"Give a reason of {LEAST_REASON} characters or more."
            )
        )
    if len(wish.reason) > LONGEST_REASON or not _is_text(wish.reason):
        found.append(Objection("the reason cannot be kept", f"Write at most {LONGEST_REASON} characters of text."))
    if wish.role not in state.roles:
        found.append(Objection(f"{wish.role!r} is no role that approves", f"Use one of {', '.join(state.roles)}."))
    return found


def _of_the_person(state: GateState, wish: Wish) -> list[Objection]:
    me, allowed = person(wish.actor), state.approvers.get(wish.role)
    found = []
    if allowed is not None and me not in {person(one) for one in allowed}:
        why = f"{wish.actor!r} may not sign as {wish.role}"
        found.append(Objection(why, f"Ask {' or '.join(allowed)}.", forbidden=True))
    others = sorted({one.role for one in state.signed if likeness(one.actor) == likeness(wish.actor)} - {wish.role})
    if others and wish.answer == "approve":
        why = f"{wish.actor!r} already agreed as {', '.join(others)}"
        found.append(Objection(why, f"Another person must agree as {wish.role}.", forbidden=True))
    return found


def _of_what_was_read(state: GateState, wish: Wish) -> list[Objection]:
    if wish.digest is None:
        return []
    if len(wish.digest) < LEAST_DIGEST:
        return [Objection(f"the digest {wish.digest!r} is too short", f"Give {LEAST_DIGEST} characters or more of it.")]
    if not state.bound_to.startswith(wish.digest.lower()):
        why = f"the sign-off is for another report ({wish.digest[:LEAST_DIGEST]}; now {state.bound_to[:LEAST_DIGEST]})"
        return [Objection(why, f"Read it as it is now: `understudy approve {state.model} --show`.")]
    return []


def _of_the_moment(state: GateState, wish: Wish, at: datetime) -> list[Objection]:
    """A question that nobody answered in time ends its rollout; whoever looks next finds out."""
    ends = state.on_expiry == "abort" and state.status == "waiting_approval" and not state.complete
    if not ends or state.expires_at is None or at < state.expires_at or wish.answer != "approve":
        return []
    why = f"the question expired on {state.expires_at:%Y-%m-%d %H:%M} UTC, on the model's clock"
    return [Objection(why, "Begin a new rollout.")]


def _is_text(text: str) -> bool:
    """Whether a database and JSON can keep it: no zero byte, and no half of a pair of surrogates."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
