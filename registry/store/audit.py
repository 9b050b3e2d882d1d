"""Who did what, chained by hashes, append-only."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, insert, select, update

from registry.errors import InvalidRecord, NotFound
from registry.records.audit import AuditEntry
from registry.records.base import utc
from registry.store.anchor import Mark, anchors, loose
from registry.store.base import AUDITED, Cause, Store
from registry.store.tables import audit_entries, audit_head
from registry.trail.chain import FIRST, breaks, entry_hash

NOTHING: Mapping[str, Any] = MappingProxyType({})
_READ = 500
_NO_ENTRY = (ValueError, TypeError, msgspec.MsgspecError)


class AuditTrail(Store):
    """The audit trail of the registry."""

    def record(
        self,
        *,
        actor: str,
        action: str,
        model: str,
        subject: str,
        reason: str,
        at: datetime,
        before: Mapping[str, Any] = NOTHING,
        after: Mapping[str, Any] = NOTHING,
    ) -> AuditEntry:
        """Append an entry about something that happened outside the registry."""
        with self._writes() as connection:
            cause = Cause(actor, reason, at)
            return append(connection, cause, action, model=model, subject=subject, before=before, after=after)

    def audit(
        self,
        model: str | None = None,
        limit: int | None = None,
        *,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
    ) -> list[AuditEntry]:
        """
        List entries, newest first.

        Args:
            model: Only its entries.
            limit: At most so many.
            action: Only these, e.g. "rollout.paused"; "rollout" for all that begin with "rollout.".
            actor: Only of this person, or part of Understudy.
            since: At or after it, on the model's clock.
        """
        query = select(audit_entries).where(*_chosen(model, since)).order_by(audit_entries.c.sequence.desc())
        if action is not None:
            group = audit_entries.c.action.startswith(f"{action}.", autoescape=True)
            query = query.where((audit_entries.c.action == action) | group)
        if actor is not None:
            query = query.where(audit_entries.c.actor == actor)
        with self._reads() as connection:
            return [AuditEntry(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def audit_entry(self, sequence: int) -> AuditEntry:
        """
        Look up one entry.

        Raises:
            NotFound: With the last one there is.
        """
        with self._reads() as connection:
            row = (
                connection.execute(select(audit_entries).where(audit_entries.c.sequence == sequence)).mappings().first()
            )
            if row is not None:
                return AuditEntry(**row)
            last = connection.scalar(select(audit_head.c.sequence))
        raise NotFound(
            f"There is no audit entry {sequence}.", f"The last is {last or 0}.", "List them: `understudy audit`."
        )

    @contextmanager
    def audit_trail(
        self, model: str | None = None, since: datetime | None = None
    ) -> Iterator[tuple[Iterator[AuditEntry], tuple[int, str]]]:
        """
        See one snapshot of the trail, for a copy of it.

        Args:
            model: Only its entries.
            since: Without those before the first entry at or after it; later ones come whatever their moment.

        Yields:
            The entries, oldest first, read as they are taken; and sequence and hash of the trail's last.
        """
        with self._reads() as connection:
            head = connection.execute(select(audit_head.c.sequence, audit_head.c.hash)).one_or_none()
            yield _from(connection, model, since), (head.sequence, head.hash) if head else (0, FIRST)

    def verify_audit(self) -> list[str]:
        """
        Walk the whole chain, and compare it with what was noted of it outside of the database.

        Returns:
            One sentence per break; empty if nothing was altered, cut or slipped in.
        """
        findings: list[str] = []
        sequence, previous = 0, FIRST
        noted, trail = anchors(self._url), {}
        with self._reads() as connection:
            for number, entry in _entries(connection):
                if entry is None:
                    findings.append(f"Entry {number} was altered after it was written: it cannot be read any more.")
                    continue
                findings += breaks(entry, sequence, previous)
                sequence, previous = entry.sequence, entry.hash
                trail[sequence] = previous
            head = connection.execute(select(audit_head.c.sequence, audit_head.c.hash)).one_or_none()
        if head is None or tuple(head) != (sequence, previous):
            end = "missing" if head is None else f"at entry {head.sequence}"
            findings.append(
                f"The trail ends at entry {sequence}, but its head is {end}: entries were cut or slipped in."
            )
        return findings + loose(self._url, noted, trail)


def append(
    connection: Connection,
    cause: Cause,
    action: str,
    *,
    model: str,
    subject: str,
    before: Mapping[str, Any] = NOTHING,
    after: Mapping[str, Any] = NOTHING,
) -> AuditEntry:
    """Append inside the transaction of the change that it describes."""
    if not cause.actor.strip():
        raise InvalidRecord.of("The change", ["its actor is empty"], "Say who asks for it.")
    head = connection.execute(select(audit_head).with_for_update()).one()
    draft = AuditEntry(
        sequence=head.sequence + 1,
        at=utc(cause.at),
        actor=cause.actor,
        action=action,
        model=model,
        subject=subject,
        reason=cause.reason,
        before=_plain(before),
        after=_plain(after),
        previous=head.hash,
        hash="",
    )
    entry = msgspec.structs.replace(draft, hash=entry_hash(draft))
    connection.execute(insert(audit_entries).values(msgspec.structs.asdict(entry)))
    connection.execute(update(audit_head).values(sequence=entry.sequence, hash=entry.hash))
    connection.info[AUDITED] = Mark(entry.sequence, entry.hash)
    return entry


def last_of(connection: Connection, model: str, subject: str, action: str) -> AuditEntry | None:
    """Read the newest entry about *subject* whose action begins with *action*."""
    mine = (audit_entries.c.model == model) & (audit_entries.c.subject == subject)
    begins = audit_entries.c.action.startswith(action, autoescape=True)
    query = select(audit_entries).where(mine & begins).order_by(audit_entries.c.sequence.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else AuditEntry(**row)


def _chosen(model: str | None, since: datetime | None) -> list[ColumnElement[bool]]:
    chosen = [] if model is None else [audit_entries.c.model == model]
    return chosen if since is None else [*chosen, audit_entries.c.at >= since]


def _from(connection: Connection, model: str | None, since: datetime | None) -> Iterator[AuditEntry]:
    first = 1
    if since is not None:
        begins = (
            select(audit_entries.c.sequence).where(*_chosen(None, since)).order_by(audit_entries.c.sequence).limit(1)
        )
        first = connection.scalar(begins) or 0
    if not first:
        return
    query = select(audit_entries).where(*_chosen(model, None)).order_by(audit_entries.c.sequence).limit(_READ)
    while True:
        rows = connection.execute(query.where(audit_entries.c.sequence >= first)).mappings().all()
        yield from (AuditEntry(**row) for row in rows)
        if len(rows) < _READ:
            return
        first = rows[-1]["sequence"] + 1


def _entries(connection: Connection) -> Iterator[tuple[int, AuditEntry | None]]:
    """All entries by their sequence; None for one that is no entry any more."""
    sequences = list(connection.scalars(select(audit_entries.c.sequence).order_by(audit_entries.c.sequence)))
    for start in range(0, len(sequences), _READ):
        some = sequences[start : start + _READ]
        try:
            found: list[tuple[int, AuditEntry | None]] = [(one.sequence, one) for one in _read(connection, some)]
        except _NO_ENTRY:
            found = [(number, _readable(connection, number)) for number in some]
        yield from found


def _readable(connection: Connection, sequence: int) -> AuditEntry | None:
    try:
        return _read(connection, [sequence])[0]
    except _NO_ENTRY:
        return None


def _read(connection: Connection, sequences: list[int]) -> list[AuditEntry]:
    query = select(audit_entries).where(audit_entries.c.sequence.between(sequences[0], sequences[-1]))
    return [AuditEntry(**row) for row in connection.execute(query.order_by(audit_entries.c.sequence)).mappings()]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As it will be read back, so that the hash holds."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(values)))
    return plain
