"""Notifications that wait to be sent: written in the transaction of what they tell, sent later."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from registry.errors import NotFound
from registry.records.notice import Notice, NoticeStatus
from registry.store.base import Store, kept
from registry.store.tables import notices


class Notices(Store):
    """The notices of every model."""

    def add_notice(self, notice: Notice) -> bool:
        """Keep a notice; False, and nothing changes, if its key is known."""
        notice = kept(notice)
        with self._writes() as connection:
            return add_notices(connection, [notice]) == 1

    def notices_due(self, now: datetime, limit: int = 50) -> list[Notice]:
        """List those that wait and may be tried at *now*, longest due first."""
        due = (notices.c.status == "waiting") & (notices.c.next_at <= now)
        query = select(notices).where(due).order_by(notices.c.next_at, notices.c.number).limit(limit)
        with self._reads() as connection:
            return [_record(row) for row in connection.execute(query)]

    def mark_notice(
        self, key: str, *, status: NoticeStatus, attempts: int, next_at: datetime, missed: Sequence[str] = ()
    ) -> Notice:
        """
        Note what came of trying to send a notice.

        Raises:
            NotFound: If no notice has this key.
        """
        here = notices.c.key == key
        values = {"status": status, "attempts": attempts, "next_at": next_at, "missed": list(missed)}
        with self._writes() as connection:
            if not connection.execute(update(notices).where(here).values(values)).rowcount:
                raise NotFound(f"There is no notice {key!r}.", "It was never added.", "Add it first.")
            return _record(connection.execute(select(notices).where(here)).one())

    def notices(self, model: str | None = None, limit: int | None = None) -> list[Notice]:
        """List notices, newest first."""
        query = select(notices).order_by(notices.c.number.desc()).limit(limit)
        if model is not None:
            query = query.where(notices.c.model == model)
        with self._reads() as connection:
            return [_record(row) for row in connection.execute(query)]


def add_notices(connection: Connection, wanted: Sequence[Notice]) -> int:
    """Keep those whose key is not known, inside the transaction of what they tell; count them."""
    if not wanted:
        return 0
    known = set(connection.scalars(select(notices.c.key).where(notices.c.key.in_([n.key for n in wanted]))))
    fresh = {notice.key: notice for notice in wanted if notice.key not in known}
    if fresh:
        connection.execute(insert(notices), [_row(notice) for notice in fresh.values()])
    return len(fresh)


def _row(notice: Notice) -> dict[str, object]:
    return {
        "key": notice.key,
        "model": notice.model,
        "status": notice.status,
        "attempts": notice.attempts,
        "next_at": notice.next_at,
        "missed": list(notice.missed),
        "document": notice.to_json().decode(),
        "created_at": notice.created_at,
    }


def _record(row: Row[Any]) -> Notice:
    written = Notice.from_json(row.document)
    return msgspec.structs.replace(
        written, status=row.status, attempts=row.attempts, next_at=row.next_at, missed=tuple(row.missed)
    )
