"""The retraining log: the table `model_retraining_events`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, case, func, insert, select, update

from registry.errors import AlreadyExists, NotFound
from registry.records.base import utc
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.tables import retraining_events as events
from registry.store.types import stamp

ACTOR = "understudy"


class Retraining(Store):
    """The retraining events of every model."""

    def next_event_id(self, at: datetime) -> str:
        """Name the next event of the day, e.g. "retrain_20260301_002"; taken only when it is added."""
        prefix = f"retrain_{utc(at):%Y%m%d}_"
        with self._reads() as connection:
            taken = set(connection.scalars(select(events.c.id).where(events.c.id.startswith(prefix, autoescape=True))))
        number = len(taken) + 1
        while f"{prefix}{number:03d}" in taken:
            number += 1
        return f"{prefix}{number:03d}"

    def add_retraining_event(self, event: RetrainingEvent) -> None:
        """
        Keep a new event.

        Raises:
            AlreadyExists: If its id is taken.
        """
        event = kept(event)
        with self._writes() as connection:
            if connection.execute(select(events.c.id).where(events.c.id == event.id)).first():
                raise AlreadyExists(
                    f"Retraining event {event.id} was not stored.", "Its id is taken.", "Ask for the next id."
                )
            connection.execute(insert(events).values(_row(event)))
            _note(connection, "retraining.triggered", event, Cause(ACTOR, event.trigger_reason, event.triggered_at))

    def update_retraining_event(self, event: RetrainingEvent) -> None:
        """
        Replace a known event: it was attempted, or is done.

        Raises:
            NotFound: If it was never added.
        """
        event = kept(event)
        with self._writes() as connection:
            _one(connection, event.id)
            connection.execute(update(events).where(events.c.id == event.id).values(_row(event)))
            cause = Cause(ACTOR, event.notes, event.completed_at or event.triggered_at)
            _note(connection, "retraining.updated", event, cause)

    def retraining_event(self, id: str) -> RetrainingEvent:  # noqa: A002 (the record's own word)
        """
        Look up one event.

        Raises:
            NotFound: If it was never added.
        """
        with self._reads() as connection:
            return _one(connection, id)

    def retraining_events(
        self, model: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> list[RetrainingEvent]:
        """List events triggered at or after *since*, newest first."""
        query = _newest_first(select(events), model).limit(limit)
        if since is not None:
            query = query.where(events.c.triggered_at >= since)
        with self._reads() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def retraining_frequency(self, model: str | None = None) -> list[dict[str, Any]]:
        """
        Count events by trigger, most frequent first.

        Returns:
            trigger_type, count, attempted, successful, and success_rate: the share of the
            finished attempts that produced a version, None before the first.
        """
        finished = func.count(events.c.execution_successful)
        successful = func.coalesce(func.sum(case((events.c.execution_successful.is_(True), 1), else_=0)), 0)
        attempted = func.coalesce(func.sum(case((events.c.execution_attempted.is_(True), 1), else_=0)), 0)
        query = (
            select(events.c.trigger_type, func.count(), attempted, successful, finished)
            .group_by(events.c.trigger_type)
            .order_by(func.count().desc(), events.c.trigger_type)
        )
        if model is not None:
            query = query.where(events.c.model == model)
        with self._reads() as connection:
            return [_frequency(*row) for row in connection.execute(query)]

    def retraining_improvements(self, model: str | None = None) -> list[dict[str, Any]]:
        """
        List what successful retrainings gained, newest first.

        Returns:
            id, model, trigger_type, retrained_version, the improvement_* in percent, and
            triggered_at (ISO 8601, UTC).
        """
        names = ["id", "model", "trigger_type", "retrained_version", "improvement_r2", "improvement_rmse"]
        columns = [events.c[name] for name in [*names, "improvement_accuracy", "triggered_at"]]
        query = _newest_first(select(*columns), model).where(events.c.execution_successful.is_(True))
        with self._reads() as connection:
            rows = connection.execute(query).all()
        keys = [column.key for column in columns]
        return [dict(zip(keys, row, strict=True)) | {"triggered_at": stamp(row.triggered_at)} for row in rows]


def close_promoted(connection: Connection, rollout: Rollout, cause: Cause) -> None:
    """Note in the event that trained the challenger of *rollout* that it is champion now; it may have none."""
    mine = (events.c.model == rollout.model) & (events.c.retrained_version == rollout.challenger)
    row = connection.execute(_newest_first(select(events).where(mine), None).limit(1)).mappings().first()
    if row is None:
        return
    event = _record(row)
    metrics = event.execution_metrics | {"promoted_at": stamp(cause.at), "rollout_id": rollout.id}
    notes = f"{event.notes} Promoted by {rollout.id}.".strip()
    closed = msgspec.structs.replace(event, execution_metrics=metrics, notes=notes)
    connection.execute(update(events).where(events.c.id == event.id).values(_row(closed)))
    append(
        connection,
        cause,
        "retraining.promoted",
        model=event.model,
        subject=event.id,
        after={"retrained_version": event.retrained_version, "rollout_id": rollout.id, "promoted_at": stamp(cause.at)},
    )


def _newest_first(query: Select[Any], model: str | None) -> Select[Any]:
    query = query.order_by(events.c.triggered_at.desc(), events.c.id.desc())
    return query if model is None else query.where(events.c.model == model)


def _frequency(trigger: str, count: int, attempted: int, successful: int, finished: int) -> dict[str, Any]:
    return {
        "trigger_type": trigger,
        "count": count,
        "attempted": attempted,
        "successful": successful,
        "success_rate": successful / finished if finished else None,
    }


def _row(event: RetrainingEvent) -> dict[str, Any]:
    return msgspec.structs.asdict(event)


def _record(row: Mapping[Any, Any]) -> RetrainingEvent:
    return RetrainingEvent(**{column.key: row[column] for column in events.c})


def _one(connection: Connection, name: str) -> RetrainingEvent:
    row = connection.execute(select(events).where(events.c.id == name)).mappings().first()
    if row is None:
        newest = connection.scalars(select(events.c.id).order_by(events.c.triggered_at.desc()).limit(5))
        raise NotFound(
            f"There is no retraining event {name!r}.",
            f"Newest: {', '.join(newest) or 'none yet'}.",
            "List them: `understudy events`.",
        )
    return _record(row)


def _note(connection: Connection, action: str, event: RetrainingEvent, cause: Cause) -> None:
    append(
        connection,
        cause,
        action,
        model=event.model,
        subject=event.id,
        after={
            "trigger_type": event.trigger_type,
            "severity": event.severity,
            "attempted": event.execution_attempted,
            "successful": event.execution_successful,
            "retrained_version": event.retrained_version,
        },
    )
