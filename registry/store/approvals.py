"""Who agreed to a rollout, in which role, and to exactly what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from registry.approval import (
    LEAST_DIGEST,
    LONGEST_NAME,
    Objection,
    Wish,
    bound_digest,
    gate_state,
    objections,
    tidy,
)
from registry.errors import ApprovalForbidden, ApprovalRefused
from registry.people import likeness
from registry.ramp import abort_plan
from registry.records.gate import GateState
from registry.records.notice import Level
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout, StepResult
from registry.records.verdict import Decision
from registry.results import with_result
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.notices import add_notices
from registry.store.plans import newest_plan, publish
from registry.store.rollouts import one_rollout, over, write
from registry.store.stages import change
from registry.store.tables import approvals, decisions
from registry.store.types import stamp
from registry.store.versions import lock_model, one_version
from registry.telling import new_notice


class Approvals(Store):
    """The approvals of every rollout."""

    def sign(
        self,
        rollout_id: str,
        *,
        actor: str,
        role: str,
        reason: str,
        at: datetime,
        answer: str = "approve",
        digest: str | None = None,
        via: str = "",
    ) -> GateState:
        """
        Take one person's answer, if the rollout's gate allows it; the one way in for all who ask people.

        A yes is kept, once; a no ends the rollout as "aborted" and gives all callers to the champion.
        Whoever tries what they may not leaves an entry "approval.refused" in the audit trail.

        Args:
            rollout_id: An active rollout.
            actor: Who signs.
            role: As what, e.g. "ml_lead".
            reason: Why, in 5 characters or more.
            at: On the model's clock.
            answer: "approve" or "reject".
            digest: What they have read, or its beginning; whatever is shown now if absent.
            via: By which way it came, e.g. "form", where people say themselves who they are; for the audit trail.

        Returns:
            Where the gate stands after it.

        Raises:
            NotFound: If there is no such rollout.
            StageConflict: If it is over.
            ApprovalRefused: With all that speaks against it.
        """
        wish = Wish(tidy(actor), role.strip(), reason.strip(), answer, digest, via)
        with self._writes() as connection:
            lock_model(connection, one_rollout(connection, rollout_id).model)
            rollout = one_rollout(connection, rollout_id)
            if not rollout.active:
                raise over(rollout, f"The answer of {wish.actor} to {rollout_id} was not noted.")
            state = _state(connection, rollout)
            against = objections(state, wish, at)
            if not against:
                return _take(connection, rollout, state, wish, at)
            _note_attempt(connection, rollout, wish, against, at)
        raise _refusal(rollout, wish, against)

    def gate(self, rollout_id: str) -> GateState:
        """
        Tell what people are asked, who has signed, and who is missing.

        Raises:
            NotFound: If there is no such rollout.
        """
        with self._reads() as connection:
            return _state(connection, one_rollout(connection, rollout_id))

    def approval_digest(self, rollout: Rollout) -> str:
        """What a sign-off is bound to; see `registry.approval.approval_digest`."""
        with self._reads() as connection:
            return _digest(connection, rollout)

    def approvals(self, rollout_id: str) -> list[dict[str, Any]]:
        """
        List who agreed, oldest first.

        Returns:
            rollout_id, role, actor, reason, decision_digest and at (ISO 8601, UTC) of each.
        """
        with self._reads() as connection:
            return _given(connection, rollout_id)


def _given(connection: Connection, rollout_id: str) -> list[dict[str, Any]]:
    query = select(approvals).where(approvals.c.rollout_id == rollout_id).order_by(approvals.c.number)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return [{k: v for k, v in row.items() if k != "number"} | {"at": stamp(row["at"])} for row in rows]


def _state(connection: Connection, rollout: Rollout) -> GateState:
    return gate_state(rollout, _digest(connection, rollout), _given(connection, rollout.id))


def _digest(connection: Connection, rollout: Rollout) -> str:
    champion, challenger = (one_version(connection, rollout.model, v) for v in (rollout.champion, rollout.challenger))
    return bound_digest(rollout, champion, challenger, _shown(connection, rollout.decision_id))


def _shown(connection: Connection, decision_id: str | None) -> str | None:
    """Digest of the decision; None where there is none, or it could not be kept."""
    document = connection.scalar(select(decisions.c.document).where(decisions.c.id == decision_id))
    return None if document is None else Decision.from_json(document).digest()


def _take(connection: Connection, rollout: Rollout, state: GateState, wish: Wish, at: datetime) -> GateState:
    if wish.answer == "reject":
        rollout = _decline(connection, rollout, state, wish, at)
    elif not _is_known(state, wish):
        _keep(connection, rollout, state, wish, at)
    return _state(connection, rollout)


def _is_known(state: GateState, wish: Wish) -> bool:
    return any((one.role, likeness(one.actor)) == (wish.role, likeness(wish.actor)) for one in state.signed)


def _keep(connection: Connection, rollout: Rollout, state: GateState, wish: Wish, at: datetime) -> None:
    row = {"rollout_id": rollout.id, "role": wish.role, "actor": wish.actor, "decision_digest": state.bound_to}
    connection.execute(insert(approvals).values(**row, reason=wish.reason, at=at))
    _note(connection, "rollout.approved", rollout, wish, at, {"decision_digest": state.bound_to})
    missing = [role for role in state.missing if role != wish.role]
    rest = f"Still missing: {', '.join(missing)}." if missing else "Everybody has agreed."
    key = f"{rollout.id}:given:{state.bound_to[:LEAST_DIGEST]}:{wish.role}:{len(state.signed)}"
    title = f"{rollout.model}: {wish.role} agreed to {rollout.challenger}"
    _tell(connection, rollout, key, "approval.given", title, f"{rollout.id}: {wish.actor} signed. {rest}")


def _decline(connection: Connection, rollout: Rollout, state: GateState, wish: Wish, at: datetime) -> Rollout:
    """End the rollout, take the challenger off, and keep who said no and why."""
    said = f"{wish.actor} said no as {wish.role}: {wish.reason}"
    _note(connection, "rollout.declined", rollout, wish, at, {"decision_digest": state.bound_to})
    ended = msgspec.structs.replace(
        rollout,
        status="aborted",
        said=said,
        waiting=None,
        revision=rollout.revision + 1,
        results=_results(rollout, said, wish, at),
    )
    cause, plan = Cause(wish.actor, said, at), newest_plan(connection, rollout.model)
    write(connection, ended, rollout, cause)
    challenger = one_version(connection, rollout.model, rollout.challenger)
    if challenger.stage in ("shadow", "canary"):
        change(connection, challenger, "staging", cause)
    if plan is not None and (plan.paused or _mentions(plan, rollout.challenger)):
        publish(connection, kept(abort_plan(rollout, plan, actor=wish.actor, reason=said, at=at)))
    title = f"{rollout.model}: {wish.role} said no to {rollout.challenger}"
    body = f"{rollout.id} has ended; {rollout.champion} stays the champion. {wish.actor} said no as {wish.role}."
    _tell(connection, rollout, f"{rollout.id}:abort:{ended.revision}", "rollout.aborted", title, body)
    return ended


def _results(rollout: Rollout, said: str, wish: Wish, at: datetime) -> tuple[StepResult, ...]:
    """How its steps ended, the one under way included."""
    return with_result(rollout, rollout.outcome or "inconclusive", said, at, wish.actor, rollout.decision_id)


def _mentions(plan: TrafficPlan, version: str) -> bool:
    return version in plan.shadows or any(arm.version == version for arm in plan.challengers)


def _note(
    connection: Connection, action: str, rollout: Rollout, wish: Wish, at: datetime, after: dict[str, Any]
) -> None:
    append(
        connection,
        Cause(wish.actor[:LONGEST_NAME] or "nobody", wish.reason, at),
        action,
        model=rollout.model,
        subject=rollout.id,
        before={"status": rollout.status, "step": rollout.step},
        after={"role": wish.role, "answer": wish.answer, "via": wish.via} | after,
    )


def _note_attempt(
    connection: Connection, rollout: Rollout, wish: Wish, against: Sequence[Objection], at: datetime
) -> None:
    tried = [one.why for one in against if one.forbidden]
    if tried:
        _note(connection, "approval.refused", rollout, wish, at, {"decision_digest": wish.digest, "why": tried})


def _tell(connection: Connection, rollout: Rollout, key: str, kind: str, title: str, body: str) -> None:
    level: Level = "info" if kind == "approval.given" else "warning"
    add_notices(connection, [new_notice(kind, title, body, model=rollout.model, key=key, level=level)])


def _refusal(rollout: Rollout, wish: Wish, against: Sequence[Objection]) -> ApprovalRefused:
    why, mend = "; ".join(one.why for one in against), " ".join(dict.fromkeys(one.mend for one in against))
    what = f"The answer of {wish.actor!r} to {rollout.id} of {rollout.model} was not recorded."
    kind = ApprovalForbidden if any(one.forbidden for one in against) else ApprovalRefused
    return kind(what, f"{why}.", mend)
