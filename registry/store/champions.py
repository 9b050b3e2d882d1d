"""The two moves that change production outside a rollout: the first champion, and the way back."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from registry.assignment import TOTAL
from registry.errors import StageConflict
from registry.records.plan import CHAMPION, Arm, Guards, Slice, TrafficPlan
from registry.records.rollout import Rollout
from registry.records.version import ModelVersion
from registry.store.base import Cause, Store, kept
from registry.store.plans import champions_before, ever_champion, newest_plan, publish
from registry.store.rollouts import active, write
from registry.store.stages import move, promote, refuse_deleted
from registry.store.versions import lock_model, one_version, production


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

    def roll_back(self, model: str, *, to: str | None = None, actor: str, reason: str, at: datetime) -> TrafficPlan:
        """
        Take the challenger off, or bring an earlier champion back; one transaction.

        An active rollout ends as rolled_back and its challenger is rejected. A challenger of a
        plan that was published by hand loses its callers. Without either, or if *to* is given,
        *to* (by default the champion before) returns to production.
        Doing it twice never brings the bad version back.

        Returns:
            The plan in which the champion answers everybody.

        Raises:
            StageConflict: If there is nothing to roll back to.
        """
        cause = Cause(actor, reason, at)
        with self._writes() as connection:
            lock_model(connection, model)
            champion, newest = _present(connection, model)
            rollout = active(connection, model)
            if rollout is not None:
                _end(connection, rollout, cause)
            target = _target(connection, champion, _is_tried(newest, rollout), to)
            if target.version != champion.version:
                promote(connection, target, champion, cause)
            plan = _plan_of(target.version, newest, rollout, cause)
            return publish(connection, kept(plan))

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


def _end(connection: Connection, rollout: Rollout, cause: Cause) -> None:
    ended = msgspec.structs.replace(rollout, status="rolled_back", said=cause.reason, revision=rollout.revision + 1)
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
    former = ever_champion(connection, champion.model)
    if target not in former:
        known = ", ".join(sorted(former - {champion.version})) or "none"
        raise _nothing(champion.model, f"{target} was never the champion; former champions: {known}.")
    refuse_deleted(version, "was not brought back")
    return version


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
        **_taking_part(newest),
    )


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
