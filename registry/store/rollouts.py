"""Rollouts: durable state, one active per model, moved by compare-and-swap."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from registry.errors import AlreadyExists, InvalidRecord, NotFound, PlanConflict, StageConflict
from registry.records.incident import Incident
from registry.records.notice import Notice
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.records.version import ModelVersion, Stage
from registry.records.watch import Watch
from registry.store.audit import append, last_of
from registry.store.base import Cause, Store, kept
from registry.store.incidents import incident_of, write_incident
from registry.store.notices import add_notices
from registry.store.plans import publish
from registry.store.retraining import close_promoted
from registry.store.stages import change, promote, refuse_deleted
from registry.store.tables import rollouts
from registry.store.types import stamp
from registry.store.versions import lock_model, one_version, production
from registry.store.watches import begin_watch, end_watch

MINE = ("model", "champion", "challenger", "created_at")


class Rollouts(Store):
    """The rollouts of every model."""

    def next_rollout_id(self, model: str) -> str:  # noqa: ARG002 (numbers are per registry)
        """Name the next rollout, e.g. "r-0007"; taken only when it is started."""
        with self._reads() as connection:
            taken = set(connection.scalars(select(rollouts.c.id)))
        number = len(taken) + 1
        while f"r-{number:04d}" in taken:
            number += 1
        return f"r-{number:04d}"

    def start_rollout(self, rollout: Rollout, *, actor: str, reason: str, at: datetime) -> Rollout:
        """
        Keep a new rollout; a challenger that was archived is in staging from then on, in the same transaction.

        Raises:
            StageConflict: If another one of the model is active, its champion is not in
                production, its challenger was rejected, or the challenger's artifact was deleted.
            AlreadyExists: If its id is taken.
        """
        rollout = kept(rollout)
        with self._writes() as connection:
            lock_model(connection, rollout.model)
            challenger, cause = _startable(connection, rollout), Cause(actor, reason, at)
            if challenger.stage == "archived":
                change(connection, challenger, "staging", cause)
            connection.execute(insert(rollouts).values(_row(rollout)))
            _note(connection, "rollout.started", rollout, None, cause)
        return rollout

    def move_rollout(
        self,
        rollout: Rollout,
        *,
        plan: TrafficPlan | None = None,
        stages: Mapping[str, Stage] = {},
        actor: str,
        reason: str,
        at: datetime,
        notices: Sequence[Notice] = (),
        watch: Watch | None = None,
        incident: Incident | None = None,
    ) -> Rollout:
        """
        Commit one move and all that follows from it, or nothing.

        A promotion also closes the retraining event of the challenger, and ends the watch over the
        former champion as "replaced". A rollback of a challenger that was in a plan is written up.

        Args:
            rollout: New state; its revision must be the stored one plus 1.
            plan: Published with it; needed whenever production changes.
            stages: New stage by version; {challenger: "production", champion: "archived"}
                promotes.
            actor, reason, at: Who, why, and when on the model's clock; written into the audit trail.
            notices: Written with it, to be sent later; those whose key is known are left out.
            watch: Over the new champion; only with a promotion. Gets the next id if its own is taken.
            incident: Instead of the one that the registry would write; only with a rollback. Gets the
                next id if its own is taken.

        Raises:
            PlanConflict: If the revision or the epoch is not the next one: somebody else was first.
            StageConflict: If the rollout is over, or a stage cannot be reached.
            NotFound: If the rollout, or a version, does not exist.
            InvalidRecord: If a watch or an incident does not belong to this move.
        """
        rollout, cause = kept(rollout), Cause(actor, reason, at)
        following = kept(plan) if plan is not None else None
        told = [kept(notice) for notice in notices]
        watched, written = _belonging(rollout, following, stages, watch, incident)
        with self._writes() as connection:
            lock_model(connection, rollout.model)
            before = one_rollout(connection, rollout.id)
            _refuse_move(connection, rollout, before, following, stages)
            _move_stages(connection, rollout.model, stages, cause)
            write(connection, rollout, before, cause)
            if following is not None:
                publish(connection, following)
            if _promotes(stages):
                end_watch(connection, rollout.model, "replaced", cause)
                close_promoted(connection, rollout, cause)
            if watched is not None:
                begin_watch(connection, watched, cause)
            if following is not None and rollout.status == "rolled_back":
                found = written or incident_of(following, before, rollout.challenger, "rollout", cause, {})
                write_incident(connection, found, cause)
            add_notices(connection, told)
        return rollout

    def rollout(self, id: str) -> Rollout:  # noqa: A002 (the record's own word)
        """
        Look up one rollout.

        Raises:
            NotFound: With those that are known.
        """
        with self._reads() as connection:
            return one_rollout(connection, id)

    def rollouts(self, model: str | None = None) -> list[Rollout]:
        """List rollouts, newest first."""
        query = select(rollouts.c.document).order_by(rollouts.c.number.desc())
        if model is not None:
            query = query.where(rollouts.c.model == model)
        with self._reads() as connection:
            return [Rollout.from_json(document) for document in connection.scalars(query)]

    def active_rollout(self, model: str) -> Rollout | None:
        """Return the rollout that can still move, if any."""
        with self._reads() as connection:
            return active(connection, model)


def one_rollout(connection: Connection, name: str) -> Rollout:
    """Read one rollout, or refuse with the newest that are known."""
    document = connection.scalar(select(rollouts.c.document).where(rollouts.c.id == name))
    if document is not None:
        return Rollout.from_json(document)
    known = list(connection.scalars(select(rollouts.c.id).order_by(rollouts.c.number.desc()).limit(10)))
    raise NotFound(f"There is no rollout {name!r}.", f"Newest: {', '.join(known) or 'none yet'}.", "Name one of these.")


def active(connection: Connection, model: str) -> Rollout | None:
    """Read the active rollout of *model*."""
    query = select(rollouts.c.document).where(
        rollouts.c.model == model, rollouts.c.status.in_(("waiting_approval", "running", "paused"))
    )
    document = connection.scalar(query)
    return None if document is None else Rollout.from_json(document)


def write(connection: Connection, rollout: Rollout, before: Rollout, cause: Cause) -> None:
    """Write the new state and its audit entry."""
    connection.execute(update(rollouts).where(rollouts.c.id == rollout.id).values(_row(rollout)))
    _note(connection, f"rollout.{_what(rollout, before)}", rollout, before, cause)


def _what(rollout: Rollout, before: Rollout) -> str:
    """Name what happened, as people would look for it."""
    if rollout.status == before.status:
        return "moved"
    if rollout.status == "running":
        return "resumed" if before.status == "paused" else "moved"
    return {"succeeded": "promoted", "waiting_approval": "asked"}.get(rollout.status, rollout.status)


def _row(rollout: Rollout) -> dict[str, object]:
    return {
        "id": rollout.id,
        "model": rollout.model,
        "challenger": rollout.challenger,
        "status": rollout.status,
        "revision": rollout.revision,
        "document": rollout.to_json().decode(),
        "created_at": rollout.created_at,
    }


def _note(connection: Connection, action: str, rollout: Rollout, before: Rollout | None, cause: Cause) -> None:
    append(
        connection,
        cause,
        action,
        model=rollout.model,
        subject=rollout.id,
        before=_summary(before),
        after=_summary(rollout),
    )


def _summary(rollout: Rollout | None) -> dict[str, object]:
    if rollout is None:
        return {}
    return {
        "status": rollout.status,
        "step": rollout.step,
        "revision": rollout.revision,
        "challenger": rollout.challenger,
        "decision_id": rollout.decision_id,
        "outcome": rollout.outcome,
        "weight": rollout.weight,
        "waiting": rollout.waiting.question if rollout.waiting else None,
    }


def _startable(connection: Connection, rollout: Rollout) -> ModelVersion:
    """The challenger, once nothing speaks against its rollout."""
    what = f"Rollout {rollout.id} of {rollout.model} was not started."
    if connection.execute(select(rollouts.c.id).where(rollouts.c.id == rollout.id)).first():
        raise AlreadyExists(what, "Its id is taken.", "Ask for the next id and start again.")
    other = active(connection, rollout.model)
    if other is not None:
        raise StageConflict(
            what, f"{other.id} of {other.challenger} is {other.status}.", f"Wait for {other.id}, or roll it back."
        )
    champion = production(connection, rollout.model)
    if champion is None or champion.version != rollout.champion:
        now = champion.version if champion else "nothing"
        raise StageConflict(
            what, f"It is against {rollout.champion}, but {now} is in production.", "Compare with the champion again."
        )
    challenger = one_version(connection, rollout.model, rollout.challenger)
    if challenger.stage == "rejected":
        raise StageConflict(
            what, f"{challenger.version} was rejected.", "It was taken off for good. Train another: `understudy train`."
        )
    refuse_deleted(challenger, f"was not given {rollout.id}")
    if not rollout.active or rollout.revision != 1:
        raise InvalidRecord.of(
            "The rollout", [f"it starts {rollout.status} at revision {rollout.revision}"], "Start at revision 1."
        )
    return challenger


def _belonging(
    rollout: Rollout,
    plan: TrafficPlan | None,
    stages: Mapping[str, Stage],
    watch: Watch | None,
    incident: Incident | None,
) -> tuple[Watch | None, Incident | None]:
    mistakes = []
    if watch is not None and not (_promotes(stages) and (watch.model, watch.version) == _challenger(rollout)):
        mistakes.append(f"watch {watch.id} is over {watch.model} {watch.version}, which it does not promote")
    if watch is not None and watch.status != "active":
        mistakes.append(f"watch {watch.id} begins {watch.status}")
    ends = plan is not None and rollout.status == "rolled_back"
    if incident is not None and not (ends and incident.model == rollout.model):
        mistakes.append(f"incident {incident.id} is of {incident.model}, and the move takes nothing off it")
    if incident is not None and plan is not None and incident.epoch != plan.epoch:
        mistakes.append(f"incident {incident.id} is of epoch {incident.epoch}, the plan is {plan.epoch}")
    if mistakes:
        raise InvalidRecord.of("The move", mistakes, "Watch what is promoted, and write up what is rolled back.")
    return kept(watch) if watch is not None else None, kept(incident) if incident is not None else None


def _challenger(rollout: Rollout) -> tuple[str, str]:
    return rollout.model, rollout.challenger


def _promotes(stages: Mapping[str, Stage]) -> bool:
    return "production" in stages.values()


def _refuse_move(
    connection: Connection, rollout: Rollout, before: Rollout, plan: TrafficPlan | None, stages: Mapping[str, Stage]
) -> None:
    what = f"Rollout {rollout.id} of {rollout.model} was not moved."
    if rollout.revision != before.revision + 1:
        behind = rollout.revision <= before.revision
        raise PlanConflict(
            what,
            f"{'Somebody else moved it first: r' if behind else 'R'}evision {rollout.revision} does not follow "
            f"{before.revision} ({before.status}: {before.said}){_by_whom(connection, before)}.",
            "Read the rollout and decide again.",
        )
    if not before.active:
        raise over(before, what)
    changed = [name for name in MINE if getattr(rollout, name) != getattr(before, name)]
    if changed:
        raise InvalidRecord.of("The rollout", [f"{name} changed" for name in changed], "Start a new rollout instead.")
    if plan is not None and plan.model != rollout.model:
        raise InvalidRecord.of("The plan", [f"it is of {plan.model}, not {rollout.model}"], "Publish its own plan.")
    rising = [version for version, stage in stages.items() if stage == "production"]
    if rising and (plan is None or rising != [rollout.challenger]):
        why = f"It promotes {', '.join(rising)} {'without a plan' if plan is None else 'with a plan'}."
        raise StageConflict(what, why, f"Promote only {rollout.challenger}, with the plan that makes it the champion.")


def _by_whom(connection: Connection, rollout: Rollout) -> str:
    last = last_of(connection, rollout.model, rollout.id, "rollout.")
    return "" if last is None else f"; {last.actor} was first, at {stamp(last.at)}: {last.reason}"


def _move_stages(connection: Connection, model: str, stages: Mapping[str, Stage], cause: Cause) -> None:
    champion = production(connection, model)
    wanted = dict(stages)
    for version in [version for version, stage in stages.items() if stage == "production"]:
        promote(connection, one_version(connection, model, version), champion, cause)
        del wanted[version]
        if champion is not None and wanted.get(champion.version) == "archived":
            del wanted[champion.version]  # done by the promotion
    for version, stage in wanted.items():
        change(connection, one_version(connection, model, version), stage, cause)


def over(rollout: Rollout, what: str) -> StageConflict:
    """Refuse what only an active rollout may do."""
    return StageConflict(what, f"{rollout.id} is {rollout.status}: {rollout.said}", "Start a new rollout.")
