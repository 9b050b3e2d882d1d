"""Rollouts: durable state, one active per model, moved by compare-and-swap."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from registry.errors import AlreadyExists, InvalidRecord, NotFound, PlanConflict, StageConflict
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.records.version import Stage
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.plans import publish
from registry.store.stages import change, promote, refuse_deleted
from registry.store.tables import rollouts
from registry.store.versions import lock_model, one_version, production

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
        Keep a new rollout.

        Raises:
            StageConflict: If another one of the model is active, its champion is not in
                production, its challenger was rejected, or the challenger's artifact was deleted.
            AlreadyExists: If its id is taken.
        """
        rollout = kept(rollout)
        with self._writes() as connection:
            lock_model(connection, rollout.model)
            _refuse_start(connection, rollout)
            connection.execute(insert(rollouts).values(_row(rollout)))
            _note(connection, "rollout.started", rollout, None, Cause(actor, reason, at))
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
    ) -> Rollout:
        """
        Commit one move: the rollout's new state, its plan and the stages, or nothing.

        Args:
            rollout: New state; its revision must be the stored one plus 1.
            plan: Published with it; needed whenever production changes.
            stages: New stage by version; {challenger: "production", champion: "archived"}
                promotes.

        Raises:
            PlanConflict: If the revision or the epoch is not the next one.
            StageConflict: If the rollout is over, or a stage cannot be reached.
            NotFound: If the rollout, or a version, does not exist.
        """
        rollout = kept(rollout)
        cause = Cause(actor, reason, at)
        following = kept(plan) if plan is not None else None
        with self._writes() as connection:
            lock_model(connection, rollout.model)
            before = one_rollout(connection, rollout.id)
            _refuse_move(rollout, before, following, stages)
            _move_stages(connection, rollout.model, stages, cause)
            write(connection, rollout, before, cause)
            if following is not None:
                publish(connection, following)
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
    _note(connection, "rollout.moved", rollout, before, cause)


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
    }


def _refuse_start(connection: Connection, rollout: Rollout) -> None:
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
            what, f"{challenger.version} was rejected.", "Move it back to staging first, or train another."
        )
    refuse_deleted(challenger, f"was not given {rollout.id}")
    if not rollout.active or rollout.revision != 1:
        raise InvalidRecord.of(
            "The rollout", [f"it starts {rollout.status} at revision {rollout.revision}"], "Start at revision 1."
        )


def _refuse_move(rollout: Rollout, before: Rollout, plan: TrafficPlan | None, stages: Mapping[str, Stage]) -> None:
    what = f"Rollout {rollout.id} of {rollout.model} was not moved."
    if rollout.revision != before.revision + 1:
        raise PlanConflict(
            what,
            f"Revision {rollout.revision} does not follow {before.revision} ({before.status}: {before.said}).",
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
