"""The life cycle of a version: which stage may follow which."""

from sqlalchemy import Connection, update

from registry.errors import StageConflict
from registry.records.version import ModelVersion, Stage
from registry.store.audit import append
from registry.store.base import Cause
from registry.store.tables import versions

# Production is entered and left only together with a plan: see `promote`.
LAWFUL: dict[Stage, frozenset[Stage]] = {
    "staging": frozenset({"shadow", "canary", "archived", "rejected"}),
    "shadow": frozenset({"staging", "canary", "archived", "rejected"}),
    "canary": frozenset({"staging", "shadow", "archived", "rejected"}),
    "archived": frozenset({"staging"}),
    "rejected": frozenset({"staging", "archived"}),
    "production": frozenset(),
}
PROMOTABLE: frozenset[Stage] = frozenset({"staging", "shadow", "canary", "archived"})


def change(connection: Connection, version: ModelVersion, stage: Stage, cause: Cause) -> None:
    """Move a version if the life cycle allows it; StageConflict if not."""
    refuse_unlawful(version, stage)
    if stage != "archived":
        refuse_deleted(version, f"was not moved to {stage}")
    move(connection, version, stage, cause)


def promote(connection: Connection, challenger: ModelVersion, champion: ModelVersion | None, cause: Cause) -> None:
    """
    Put *challenger* into production and archive *champion*; the caller publishes the plan.

    Archived first: there is never a second version in production, not even inside.

    Raises:
        StageConflict: If the challenger was rejected, or is in production already.
    """
    if challenger.stage not in PROMOTABLE:
        raise _unlawful(challenger, "production")
    if champion is not None:
        move(connection, champion, "archived", cause)
    move(connection, challenger, "production", cause)


def move(connection: Connection, version: ModelVersion, stage: Stage, cause: Cause) -> None:
    """Write a stage and its audit entry; whether it is lawful, the caller has asked."""
    here = (versions.c.model == version.model) & (versions.c.version == version.version)
    connection.execute(update(versions).where(here).values(stage=stage))
    append(
        connection,
        cause,
        "version.moved",
        model=version.model,
        subject=version.version,
        before={"stage": version.stage},
        after={"stage": stage},
    )


def refuse_unlawful(version: ModelVersion, stage: Stage) -> None:
    """Raise StageConflict if the life cycle does not allow it."""
    if stage not in LAWFUL[version.stage]:
        raise _unlawful(version, stage)


def refuse_deleted(version: ModelVersion, what: str) -> None:
    """Let nothing depend on bytes that are gone; StageConflict says since when."""
    if version.artifact_deleted_at is not None:
        raise StageConflict(
            f"{version.model} {version.version} {what}.",
            f"Its artifact was deleted by retention on {version.artifact_deleted_at:%Y-%m-%d %H:%M} UTC.",
            f"Train again: `understudy train {version.model}`.",
        )


def _unlawful(version: ModelVersion, stage: str) -> StageConflict:
    mend = f"From {version.stage} it may go to {', '.join(sorted(LAWFUL[version.stage]))}."
    if version.stage == "production" or (stage == "production" and version.stage in PROMOTABLE):
        mend = "Promote or roll back: only these change production, together with the traffic plan."
    return StageConflict(
        f"{version.model} {version.version} was not moved to {stage}.", f"It is in {version.stage}.", mend
    )
