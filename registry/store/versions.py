"""Model versions and the life cycle of their stages."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy.exc import IntegrityError

from registry.errors import AlreadyExists, NotFound, StageConflict
from registry.records.version import ModelVersion, Stage, version_key
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.stages import change
from registry.store.tables import deleted_artifacts, models, versions


class Versions(Store):
    """The versions of every model."""

    def register_version(self, version: ModelVersion) -> None:
        """
        Keep a new version, in staging.

        Raises:
            AlreadyExists: If the model has this version; versions are immutable.
            StageConflict: If it does not start in staging.
            InvalidRecord: If it would not be readable afterwards.
        """
        version = kept(version)
        if version.stage != "staging":
            raise StageConflict(
                f"{version.model} {version.version} was not registered.",
                f"It starts in {version.stage}; every version starts in staging.",
                "Register it in staging, then begin a rollout.",
            )
        with self._writes() as connection:
            ensure_model(connection, version.model, version.created_at)
            _refuse_known(connection, version)
            connection.execute(insert(versions).values(_row(version)))
            append(
                connection,
                Cause(version.actor, version.reason, version.created_at),
                "version.registered",
                model=version.model,
                subject=version.version,
                after={"stage": version.stage, "artifact_digest": version.artifact_digest},
            )

    def version(self, model: str, version: str) -> ModelVersion:
        """
        Look up one version.

        Raises:
            NotFound: With the versions that are known.
        """
        with self._reads() as connection:
            return one_version(connection, model, version)

    def versions(self, model: str, stage: Stage | None = None) -> list[ModelVersion]:
        """List versions, newest first; none for an unknown model."""
        with self._reads() as connection:
            return all_versions(connection, model, stage)

    def models(self) -> list[str]:
        """List every model that has a version, by name."""
        with self._reads() as connection:
            return list(connection.scalars(select(models.c.name).order_by(models.c.name)))

    def champion(self, model: str) -> ModelVersion | None:
        """Return the version in production, or None before the first."""
        with self._reads() as connection:
            return production(connection, model)

    def set_stage(self, model: str, version: str, stage: Stage, *, actor: str, reason: str, at: datetime) -> None:
        """
        Move a version to another stage; never to or from production (see `move_rollout` and `roll_back`).

        Raises:
            StageConflict: If the life cycle does not allow it.
            NotFound: If there is no such version.
        """
        with self._writes() as connection:
            lock_model(connection, model)
            change(connection, one_version(connection, model, version), stage, Cause(actor, reason, at))


def ensure_model(connection: Connection, model: str, at: datetime) -> None:
    """Know *model* from now on, and lock it."""
    if connection.execute(_row_of(model)).first() is not None:
        return
    with suppress(IntegrityError), connection.begin_nested():  # another process may be first
        connection.execute(insert(models).values(name=model, created_at=at))
    connection.execute(_row_of(model))


def lock_model(connection: Connection, model: str) -> None:
    """Let one writer at a time decide about *model*; SQLite has locked everything already."""
    if connection.execute(_row_of(model)).first() is None:
        raise _unknown_model(connection, model)


def one_version(connection: Connection, model: str, version: str) -> ModelVersion:
    """Read one version, or refuse with those that are known."""
    query = _known(model).where(versions.c.version == version)
    row = connection.execute(query).first()
    if row is not None:
        return _record(row)
    known = [v.version for v in all_versions(connection, model)]
    if not known:
        raise _unknown_model(connection, model)
    raise NotFound(
        f"{model} has no version {version}.", f"Known: {', '.join(known)}.", "Name one of these, or register it."
    )


def all_versions(connection: Connection, model: str, stage: Stage | None = None) -> list[ModelVersion]:
    """Read all versions of *model*, newest first."""
    newest = (versions.c.major.desc(), versions.c.minor.desc(), versions.c.patch.desc())
    query = _known(model).order_by(*newest)
    if stage is not None:
        query = query.where(versions.c.stage == stage)
    return [_record(row) for row in connection.execute(query)]


def production(connection: Connection, model: str) -> ModelVersion | None:
    """Read the version in production."""
    found = all_versions(connection, model, "production")
    return found[0] if found else None


def _known(model: str) -> Select[Any]:
    same = (deleted_artifacts.c.model == versions.c.model) & (deleted_artifacts.c.version == versions.c.version)
    columns = versions.c.document, versions.c.stage, deleted_artifacts.c.at.label("deleted_at")
    return select(*columns).outerjoin_from(versions, deleted_artifacts, same).where(versions.c.model == model)


def _row_of(model: str) -> Select[tuple[str]]:
    return select(models.c.name).where(models.c.name == model).with_for_update()


def _row(version: ModelVersion) -> dict[str, object]:
    major, minor, patch = version_key(version.version)
    return {
        "model": version.model,
        "version": version.version,
        "major": major,
        "minor": minor,
        "patch": patch,
        "stage": version.stage,
        "document": version.to_json().decode(),
        "created_at": version.created_at,
    }


def _record(row: Row[Any]) -> ModelVersion:
    document = ModelVersion.from_json(row.document)
    return msgspec.structs.replace(document, stage=row.stage, artifact_deleted_at=row.deleted_at)


def _refuse_known(connection: Connection, version: ModelVersion) -> None:
    key = (versions.c.model == version.model) & (versions.c.version == version.version)
    if connection.execute(select(versions.c.version).where(key)).first():
        raise AlreadyExists(
            f"{version.model} {version.version} was not registered.",
            "This version exists, and versions are immutable.",
            "Give the new one the next number.",
        )


def _unknown_model(connection: Connection, model: str) -> NotFound:
    known = list(connection.scalars(select(models.c.name).order_by(models.c.name)))
    return NotFound(
        f"The registry has no model {model!r}.",
        f"Known: {', '.join(known) or 'none yet'}.",
        "Name one of these, or train it first: `understudy train`.",
    )
