"""
What is hashed, and where a chain breaks.

The canonical form of an entry is JSON in UTF-8 without spaces, keys sorted at every depth, all fields but `hash`, the
moment in UTC with "Z" (and microseconds only where they are not 0). `hash` is the sha256 of it in hexadecimal, and
`previous` the hash of the entry before: 64 zeros for the first.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from registry.records.audit import AuditEntry

FIRST = "0" * 64


def canonical(entry: AuditEntry) -> bytes:
    """
    Write what is hashed.

    Example:
        >>> from datetime import datetime, UTC
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> said = {"actor": "ann", "action": "rollout.paused", "subject": "r-0001", "reason": "look"}
        >>> entry = AuditEntry(sequence=1, at=noon, model="churn", previous=FIRST, hash="", **said)
        >>> canonical(entry)[:64]
        b'{"action":"rollout.paused","actor":"ann","after":{},"at":"2026-0'
        >>> entry_hash(entry)[:16]
        '708b5ec4deddcad8'
    """
    fields = msgspec.structs.asdict(entry)
    del fields["hash"]
    return msgspec.json.encode(fields, order="sorted")


def entry_hash(entry: AuditEntry) -> str:
    """Sha256 over the canonical form."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def name_of(entry: AuditEntry) -> str:
    """Name an entry as findings do."""
    return f"Entry {entry.sequence} ({entry.action} of {entry.subject!r} by {entry.actor!r})"


def altered(entry: AuditEntry) -> list[str]:
    """Say whether an entry is not what its own hash was made of."""
    return [f"{name_of(entry)} was altered after it was written."] if entry.hash != entry_hash(entry) else []


def breaks(entry: AuditEntry, sequence: int, previous: str) -> list[str]:
    """Say where *entry* does not follow the one before it, which had *sequence* and the hash *previous*."""
    name, found = name_of(entry), []
    if entry.sequence != sequence + 1:
        found.append(f"{name} follows entry {sequence}: entries in between are missing.")
    if entry.previous != previous:
        found.append(f"{name} does not continue the entry before it.")
    return found + altered(entry)


def digest_of(hashes: Iterable[str]) -> str:
    """Sha256 over the hashes of entries, one per line."""
    whole = hashlib.sha256()
    for one in hashes:
        whole.update(f"{one}\n".encode())
    return whole.hexdigest()
