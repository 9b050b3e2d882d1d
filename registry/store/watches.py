"""Watches over new champions: one active per model, ended once."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select, update

from registry.errors import InvalidRecord, NotFound, StageConflict
from registry.records.notice import Notice
from registry.records.watch import Watch, WatchStatus
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.notices import add_notices
from registry.store.tables import watches
from registry.store.versions import lock_model

_FIXED = ("model", "rollout_id", "version", "former", "phase", "began_at")


class Watches(Store):
    """The watches of every model."""

    def next_watch_id(self, model: str) -> str:  # noqa: ARG002 (numbers are per registry)
        """Name the next watch, e.g. "w-0004"; taken only when it begins."""
        with self._reads() as connection:
            return _next_id(connection)

    def watch(self, model: str) -> Watch | None:
        """Return the active watch of *model*, if any."""
        with self._reads() as connection:
            return active_watch(connection, model)

    def watches(self, model: str | None = None) -> list[Watch]:
        """List watches, newest first."""
        query = select(watches.c.document).order_by(watches.c.number.desc())
        if model is not None:
            query = query.where(watches.c.model == model)
        with self._reads() as connection:
            return [Watch.from_json(document) for document in connection.scalars(query)]

    def move_watch(
        self, watch: Watch, *, actor: str, reason: str, at: datetime, notices: Sequence[Notice] = ()
    ) -> Watch:
        """
        Keep what a look has seen, or end the watch; only its end is an audit entry.

        Args:
            watch: New state. What and whom it watches stays; an active one may learn its baseline and its end.
            actor, reason, at: Who, why, and when on the model's clock.
            notices: Written with it.

        Returns:
            The watch as it is stored.

        Raises:
            NotFound: If it never began.
            StageConflict: If it has ended, or somebody else has looked since it was read.
            InvalidRecord: If it would watch something else.
        """
        watch = kept(watch)
        told = [kept(notice) for notice in notices]
        with self._writes() as connection:
            lock_model(connection, watch.model)
            before = _one(connection, watch.id)
            _refuse_move(watch, before)
            _write(connection, watch)
            if watch.status != before.status:
                _note(connection, f"watch.{watch.status}", watch, before, Cause(actor, reason, at))
            add_notices(connection, told)
        return watch


def active_watch(connection: Connection, model: str) -> Watch | None:
    """Read the active watch of *model*."""
    document = connection.scalar(
        select(watches.c.document).where(watches.c.model == model, watches.c.status == "active")
    )
    return None if document is None else Watch.from_json(document)


def begin_watch(connection: Connection, watch: Watch, cause: Cause) -> Watch:
    """Begin a watch; one whose id was taken meanwhile gets the next."""
    if connection.execute(select(watches.c.id).where(watches.c.id == watch.id)).first():
        watch = msgspec.structs.replace(watch, id=_next_id(connection))
    connection.execute(insert(watches).values(_row(watch)))
    _note(connection, "watch.began", watch, None, cause)
    return watch


def end_watch(connection: Connection, model: str, status: WatchStatus, cause: Cause) -> Watch | None:
    """End the active watch of *model*, if there is one."""
    before = active_watch(connection, model)
    if before is None:
        return None
    ended = msgspec.structs.replace(before, status=status, said=cause.reason)
    _write(connection, ended)
    _note(connection, f"watch.{status}", ended, before, cause)
    return ended


def _one(connection: Connection, name: str) -> Watch:
    document = connection.scalar(select(watches.c.document).where(watches.c.id == name))
    if document is None:
        known = connection.scalars(select(watches.c.id).order_by(watches.c.number.desc()).limit(5))
        raise NotFound(f"There is no watch {name!r}.", f"Newest: {', '.join(known) or 'none yet'}.", "Name one.")
    return Watch.from_json(document)


def _next_id(connection: Connection) -> str:
    taken = set(connection.scalars(select(watches.c.id)))
    number = len(taken) + 1
    while f"w-{number:04d}" in taken:
        number += 1
    return f"w-{number:04d}"


def _refuse_move(watch: Watch, before: Watch) -> None:
    what = f"Watch {watch.id} of {watch.model} was not changed."
    if before.status != "active":
        raise StageConflict(what, f"It is over: {before.status}, {before.said}", "A new promotion begins a new one.")
    if watch.looks < before.looks:
        why = f"It was looked at {before.looks} times, and this look is number {watch.looks}."
        raise StageConflict(what, why, "Read the watch and look again.")
    changed = [name for name in _FIXED if getattr(watch, name) != getattr(before, name)]
    if changed:
        raise InvalidRecord.of("The watch", [f"{name} changed" for name in changed], "Begin a new one instead.")


def _write(connection: Connection, watch: Watch) -> None:
    row = {"status": watch.status, "document": watch.to_json().decode()}
    connection.execute(update(watches).where(watches.c.id == watch.id).values(row))


def _row(watch: Watch) -> dict[str, object]:
    return {
        "id": watch.id,
        "model": watch.model,
        "version": watch.version,
        "status": watch.status,
        "document": watch.to_json().decode(),
        "began_at": watch.began_at,
    }


def _note(connection: Connection, action: str, watch: Watch, before: Watch | None, cause: Cause) -> None:
    summaries = {} if before is None else _summary(before), _summary(watch)
    append(connection, cause, action, model=watch.model, subject=watch.id, before=summaries[0], after=summaries[1])


def _summary(watch: Watch) -> dict[str, object]:
    return {
        "status": watch.status,
        "version": watch.version,
        "former": watch.former,
        "rollout_id": watch.rollout_id,
        "until": watch.until,
        "looks": watch.looks,
    }
