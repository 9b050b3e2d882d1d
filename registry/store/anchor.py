"""
The end of the audit trail, noted a second time outside of the database.

Whoever can write to the database can cut the trail, or compute all its hashes anew. A file beside it
gets a line per change: so many entries, and the hash of the last one. What the trail says of itself
must agree with every line. Beside an embedded database it has its name and `.anchor`; for a server it is
in the state folder, and each machine is witness to what it has written itself.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import make_url

log = logging.getLogger("understudy.registry")


class Mark(NamedTuple):
    """How many entries there were, and the hash of the last."""

    sequence: int
    hash: str


def anchor_file(url: str) -> Path | None:
    """Where the end of the trail in the database at *url* is noted; None for one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        database = parsed.database
        return None if database in (None, "", ":memory:") else Path(f"{database}.anchor")
    from registry.home import Settings

    name = hashlib.sha256(f"{parsed.host}:{parsed.port}/{parsed.database}".encode()).hexdigest()[:12]
    return Settings().home / f"registry-{name}.anchor"


def drop_anchor(url: str, mark: Mark) -> None:
    """Note *mark*, after its change has committed; a disk that refuses does not undo the change."""
    path = anchor_file(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{mark.sequence} {mark.hash}\n".encode())  # one write: lines of two writers never mix
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("the end of the audit trail was not noted: %s", error)


def anchors(url: str) -> dict[int, str]:
    """What was noted: hash by sequence; a torn line, of a full disk or a power cut, says nothing."""
    path = anchor_file(url)
    try:
        lines = path.read_text().splitlines() if path else []
    except OSError:
        return {}
    marks = (line.split() for line in lines)
    whole = (mark for mark in marks if len(mark) == 2 and mark[0].isdecimal() and len(mark[1]) == 64)
    found: dict[int, str] = {}
    for sequence, digest in whole:
        found.setdefault(int(sequence), digest)
    return found


def loose(url: str, noted: dict[int, str], trail: dict[int, str]) -> list[str]:
    """
    Say where the trail is not what was noted.

    Args:
        url: Of the database.
        noted: Read before the trail, which only grows.
        trail: Hash by sequence, of the entries that are there.
    """
    last, file = max(trail, default=0), anchor_file(url)
    findings = []
    cut = max(noted, default=0)
    if cut > last:
        findings.append(f"The trail ends at entry {last}, but {file} noted entry {cut}: entries were cut from its end.")
    other = min((n for n, digest in noted.items() if n <= last and trail.get(n) != digest), default=None)
    if other is not None:
        findings.append(f"Entry {other} is not the one that {file} noted: it, or one before it, was written anew.")
    return findings
