"""The two moves that change production outside a rollout: the first champion, and the way back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from registry.assignment import TOTAL
from registry.errors import PlanConflict, StageConflict
from registry.records.incident import IncidentKind
from registry.records.plan import CHAMPION, Arm, Guards, Slice, TrafficPlan
from registry.records.rollout import Rollout
from registry.records.version import ModelVersion
from registry.results import with_result
from registry.store.base import Cause, Store, kept
from registry.store.incidents import incident_of, kind_by, notice_of, write_incident
from registry.store.notices import add_notices
from registry.store.plans import champions_before, ever_champion, newest_plan, plans_after, publish
from registry.store.rollouts import active, write
from registry.store.stages import move, promote, refuse_deleted
from registry.store.types import stamp
from registry.store.versions import all_versions, lock_model, one_version, production
from registry.store.watches import end_watch
from registry.watching import still_watched


class Champions(Store):
    """Install and restore champions."""

    def install_first(
        self, model: str, version: str, *, guards: Guards, salt: str, actor: str, reason: str, at: datetime
    ) -> TrafficPlan:
        """
        Make *version* the first champion: production and plan in one transaction.

        Raises:
            StageConflict: If the model has a champion; then begin a rollout.
        """
        with self._writes() as connection:
            lock_model(connection, model)
            champion, newest = production(connection, model), newest_plan(connection, model)
            if champion is not None:
                raise StageConflict(
                    f"{model} {version} was not installed.",
                    f"{champion.version} is in production already.",
                    "Begin a rollout: `understudy rollout`.",
                )
            promote(connection, one_version(connection, model, version), None, Cause(actor, reason, at))
            plan = TrafficPlan(
                model=model,
                epoch=newest.epoch + 1 if newest else 1,
                phase="first",
                salt=salt,
                slices=_everybody(),
                arms=_alone(version),
                guards=guards,
                created_at=at,
                actor=actor,
                reason=reason,
                **(_taking_part(newest) if newest else {}),
            )
            return publish(connection, kept(plan))

    def roll_back(
        self,
        model: str,
        *,
        to: str | None = None,
        actor: str,
        reason: str,
        at: datetime,
        kind: IncidentKind | None = None,
        facts: Mapping[str, Any] = {},
        seen: int | None = None,
    ) -> TrafficPlan:
        """
        Take the challenger off, or bring an earlier champion back; one transaction.

        An active rollout ends as rolled_back and its challenger is rejected. A challenger of a
        plan that was published by hand loses its callers. Without either, or if *to* is given,
        *to* (by default the champion before) returns to production, and the watch over the present
        champion ends. Doing it twice never brings the bad version back. An incident and a notice are
        written with it.

        Args:
            model: Name of the model.
            to: A former champion, or any archived version that has not failed its validation and has its artifact.
            actor, reason, at: Who, why, and when on the model's clock; written into the audit trail.
            kind: Who asks; by the name of *actor* if absent.
            facts: What was seen, for the incident: numbers and names only.
            seen: Epoch of the plan that was looked at; the newest at the call if absent. If a rollback
                has been published after it, this one is refused: of two at once, one acts.

        Returns:
            The plan in which the champion answers everybody.

        Raises:
            StageConflict: If there is nothing to roll back to, or *to* may not return.
            PlanConflict: If somebody else rolled back since *seen*; it says who.
        """
        cause = Cause(actor, reason, at)
        looked_at = self._epoch(model) if seen is None else seen
        with self._writes() as connection:
            lock_model(connection, model)
            champion, newest = _present(connection, model)
            _refuse_second(connection, newest, looked_at, to)
            rollout = active(connection, model)
            if rollout is not None:
                _end(connection, rollout, kind or kind_by(actor), cause)
            target = _target(connection, champion, _is_tried(newest, rollout), to)
            if target.version != champion.version:
                promote(connection, target, champion, cause)
                end_watch(connection, model, "rolled_back", cause)
            plan = publish(connection, kept(_plan_of(target.version, newest, rollout, cause)))
            version = _taken_off(champion, target, newest, rollout)
            found = incident_of(plan, rollout, version, kind or kind_by(actor), cause, facts)
            add_notices(connection, [notice_of(write_incident(connection, kept(found), cause))])
            return plan

    def _epoch(self, model: str) -> int:
        """Of the newest plan, before anybody is waited for."""
        with self._reads() as connection:
            newest = newest_plan(connection, model)
        return 0 if newest is None else newest.epoch

    def returning(self, model: str, *, to: str | None = None) -> str:
        """
        Name the version that `roll_back` would leave in production; changes nothing.

        Raises:
            StageConflict: If `roll_back` would refuse.
        """
        with self._reads() as connection:
            champion, newest = _present(connection, model)
            tried = _is_tried(newest, active(connection, model))
            return _target(connection, champion, tried, to).version


def _is_tried(newest: TrafficPlan, rollout: Rollout | None) -> bool:
    """Whether something can be taken off without touching the champion."""
    return rollout is not None or bool(newest.challengers)


def _target(connection: Connection, champion: ModelVersion, tried: bool, to: str | None) -> ModelVersion:
    target = to or (champion.version if tried else _former(connection, champion))
    if target != champion.version:
        return _returning(connection, champion, target)
    if not tried:
        raise _nothing(champion.model, f"{target} is the champion already, and no rollout is active.")
    return champion


def _present(connection: Connection, model: str) -> tuple[ModelVersion, TrafficPlan]:
    champion, newest = production(connection, model), newest_plan(connection, model)
    if champion is None or newest is None:
        raise _nothing(model, "It has no champion yet.")
    return champion, newest


def _end(connection: Connection, rollout: Rollout, kind: IncidentKind, cause: Cause) -> None:
    """End it; the step under way failed, unless a person wanted no more of it."""
    outcome = rollout.outcome or "inconclusive" if kind == "person" else "failed"
    ended = msgspec.structs.replace(
        rollout,
        status="rolled_back",
        said=cause.reason,
        waiting=None,
        outcome=outcome,
        results=with_result(rollout, outcome, cause.reason, cause.at, cause.actor, rollout.decision_id),
        revision=rollout.revision + 1,
    )
    write(connection, ended, rollout, cause)
    challenger = one_version(connection, rollout.model, rollout.challenger)
    if challenger.stage != "rejected":
        move(connection, challenger, "rejected", cause)


def _former(connection: Connection, champion: ModelVersion) -> str:
    former = champions_before(connection, champion.model)
    if not former:
        raise _nothing(champion.model, f"No champion came before {champion.version}, or it was rolled back.")
    return former[-1]


def _returning(connection: Connection, champion: ModelVersion, target: str) -> ModelVersion:
    version = one_version(connection, champion.model, target)
    what = f"{champion.model} was not rolled back to {target}."
    if version.stage == "rejected":
        moved = f"{champion.model} {target} was not moved to production."
        raise StageConflict(
            moved, "It is in rejected: it failed, or was rolled back.", _may_return(connection, champion)
        )
    former = ever_champion(connection, champion.model)
    if target not in former and version.stage != "archived":
        known = ", ".join(sorted(former - {champion.version})) or "none"
        why = f"{target} was never the champion; former champions: {known}. It is in {version.stage}, not archived."
        raise StageConflict(what, why, _may_return(connection, champion))
    if target not in former and version.validation.get("passed") is False:
        raise StageConflict(what, f"{target} did not pass its validation.", _may_return(connection, champion))
    refuse_deleted(version, "was not brought back")
    return version


def _may_return(connection: Connection, champion: ModelVersion) -> str:
    former = ever_champion(connection, champion.model) - {champion.version}
    known = [
        version.version
        for version in all_versions(connection, champion.model)
        if version.artifact_deleted_at is None
        and (version.stage == "archived" or (version.version in former and version.stage != "rejected"))
    ]
    return f"Name one of these with --to: {', '.join(known)}." if known else "No other version may return: train one."


def _taken_off(champion: ModelVersion, target: ModelVersion, newest: TrafficPlan, rollout: Rollout | None) -> str:
    """The version that loses its callers; the champion, where it is taken off together with a challenger."""
    if target.version != champion.version:
        return champion.version
    return rollout.challenger if rollout else newest.challengers[0].version


def _refuse_second(connection: Connection, newest: TrafficPlan, seen: int, to: str | None) -> None:
    """Of two rollbacks at once the second would take the champion off that the first has just given the callers."""
    since = [plan for plan in plans_after(connection, newest.model, seen) if _rolls_back(plan)]
    if not since or to not in (None, newest.version_of(CHAMPION)):
        return
    first = since[0]
    raise PlanConflict(
        f"{newest.model} was not rolled back a second time.",
        f"{first.actor} rolled it back while this was asked, at {stamp(first.created_at)}: {first.reason}; "
        f"{first.version_of(CHAMPION)} answers everybody by plan {first.epoch}.",
        "Look at it; to go back further, ask again.",
    )


def _rolls_back(plan: TrafficPlan) -> bool:
    return plan.phase.endswith(".rolled_back") or plan.phase.startswith(("rollback.", "back-"))


def _plan_of(version: str, newest: TrafficPlan, rollout: Rollout | None, cause: Cause) -> TrafficPlan:
    epoch = newest.epoch + 1
    return TrafficPlan(
        model=newest.model,
        epoch=epoch,
        phase=f"{rollout.id}.rolled_back" if rollout else f"rollback.{epoch}",
        salt=newest.salt,
        slices=_everybody(),
        arms=_alone(version),
        guards=newest.guards,
        rollout_id=rollout.id if rollout else None,
        created_at=cause.at,
        actor=cause.actor,
        reason=cause.reason,
        watch=still_watched(newest, version),
        shadows=_warm(newest, version),
        **_taking_part(newest),
    )


def _warm(newest: TrafficPlan, version: str) -> tuple[str, ...]:
    """A champion that stays, and is still being watched, keeps the one before beside it."""
    watch = still_watched(newest, version)
    return (watch.former,) if watch else ()


def _taking_part(newest: TrafficPlan) -> dict[str, Any]:
    """What outlives every challenger: who takes part, and who always gets the champion."""
    forced = {variant: keys for variant, keys in newest.forced.items() if variant == CHAMPION}
    return {"layer": newest.layer, "enrolment": newest.enrolment, "forced": forced}


def _everybody() -> tuple[Slice, ...]:
    return (Slice(variant=CHAMPION, weight=TOTAL),)


def _alone(version: str) -> tuple[Arm, ...]:
    return (Arm(variant=CHAMPION, version=version),)


def _nothing(model: str, why: str) -> StageConflict:
    return StageConflict(
        f"{model} was not rolled back.", why, "See `understudy models`, and name a former champion with --to."
    )
