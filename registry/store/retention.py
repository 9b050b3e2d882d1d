"""Which artifacts may go: bytes of old versions; their records and their history stay for ever."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert

from registry.errors import StageConflict
from registry.records.plan import TrafficPlan
from registry.records.version import ModelVersion, Stage
from registry.store.audit import append
from registry.store.base import Cause, Store
from registry.store.plans import champions_before, newest_plan
from registry.store.rollouts import active
from registry.store.stages import change, refuse_unlawful
from registry.store.tables import deleted_artifacts
from registry.store.versions import all_versions, lock_model, one_version, production


class Keep(NamedTuple):
    """How many of the newest archived and rejected versions keep their artifacts."""

    archived: int
    rejected: int


class Fate(NamedTuple):
    """What becomes of the artifact of an archived or rejected version, and why."""

    version: ModelVersion
    delete: bool
    why: str


class Retention(Store):
    """Puts versions aside. Deletes no bytes itself: it decides, and remembers what was decided."""

    def fates(self, model: str, keep: Keep, held: Collection[str] = ()) -> list[Fate]:
        """
        Say what `give_up` would decide of every archived or rejected version that has its artifact; newest first.

        Raises:
            NotFound: If there is no such model.
        """
        with self._reads() as connection:
            return _fates(connection, model, keep, held)

    def give_up(
        self, model: str, keep: Keep, held: Collection[str] = (), *, actor: str, reason: str, at: datetime
    ) -> list[Fate]:
        """
        Mark artifacts as deleted; one transaction. From now on none of them can be given callers, and bytes may go.

        Never that of the champion, of a version in the newest plan or in a rollout that can still move, of the
        version that a rollback would bring back, and of the parent of the champion.

        Args:
            model: Name of the model.
            keep: How many newest ones are kept.
            held: Further versions that are needed, e.g. by a router that has not seen the newest plan.
            actor, reason, at: Who wants it, why and when; written into the audit trail.

        Returns:
            What was decided, also of those that are kept.

        Raises:
            NotFound: If there is no such model.
        """
        cause = Cause(actor, reason, at)
        with self._writes() as connection:
            lock_model(connection, model)
            decided = _fates(connection, model, keep, held)
            for fate in decided:
                if fate.delete:
                    _mark(connection, fate, cause)
        return decided

    def archive(
        self, model: str, version: str, *, actor: str, reason: str, at: datetime, dry_run: bool = False
    ) -> ModelVersion:
        """
        Put a version aside that nobody uses.

        Returns:
            The version as it was before.

        Raises:
            StageConflict: If it is in production, in a plan or a rollout, or if a rollback would bring it back; or if
                it is archived already.
            NotFound: If there is no such version.
        """
        with self._reads() if dry_run else self._writes() as connection:
            if not dry_run:
                lock_model(connection, model)
            found = one_version(connection, model, version)
            used = _in_use(connection, model).get(version)
            if used is not None:
                raise StageConflict(
                    f"{model} {version} was not archived.",
                    f"{used[0].upper()}{used[1:]}.",
                    "Promote another version, or end the rollout, first.",
                )
            refuse_unlawful(found, "archived")
            if not dry_run:
                change(connection, found, "archived", Cause(actor, reason, at))
        return found


def _fates(connection: Connection, model: str, keep: Keep, held: Collection[str]) -> list[Fate]:
    needed = _needed(connection, model, held)
    known = [version for version in all_versions(connection, model) if version.artifact_deleted_at is None]
    stages: list[tuple[Stage, int]] = [("archived", keep.archived), ("rejected", keep.rejected)]
    return [
        _fate(version, place, most, needed.get(version.version))
        for stage, most in stages
        for place, version in enumerate(one for one in known if one.stage == stage)
    ]


def _fate(version: ModelVersion, place: int, most: int, needed: str | None) -> Fate:
    if needed is not None:
        return Fate(version, delete=False, why=needed)
    if place < most:
        return Fate(version, delete=False, why=f"one of the {most} newest that are {version.stage}")
    return Fate(version, delete=True, why=f"{place} newer ones are {version.stage}, and {most} are kept")


def _needed(connection: Connection, model: str, held: Collection[str]) -> dict[str, str]:
    champion = production(connection, model)
    parents = [champion.parent] if champion and champion.parent else []
    needed = dict.fromkeys(held, "a router may still hold it") | dict.fromkeys(parents, "the champion descends from it")
    return needed | _in_use(connection, model)


def _in_use(connection: Connection, model: str) -> dict[str, str]:
    champion, rollout = production(connection, model), active(connection, model)
    used = dict.fromkeys(champions_before(connection, model)[-1:], "a rollback would bring it back")
    used |= dict.fromkeys([rollout.champion, rollout.challenger] if rollout else [], "it is in a rollout")
    used |= dict.fromkeys(_named(newest_plan(connection, model)), "it is in the newest plan")
    return used | dict.fromkeys([champion.version] if champion else [], "it is in production")


def _named(plan: TrafficPlan | None) -> list[str]:
    return [*(arm.version for arm in plan.arms), *plan.shadows] if plan else []


def _mark(connection: Connection, fate: Fate, cause: Cause) -> None:
    version = fate.version
    row = {"model": version.model, "version": version.version, "at": cause.at, "actor": cause.actor}
    connection.execute(insert(deleted_artifacts).values(**row, reason=cause.reason))
    append(
        connection,
        cause,
        "artifact.deleted",
        model=version.model,
        subject=version.version,
        before={"artifact_digest": version.artifact_digest},
        after={"stage": version.stage, "why": fate.why},
    )
