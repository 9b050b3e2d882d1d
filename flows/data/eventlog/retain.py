"""Which segments may go: old, compacted, and read by everybody who reads segments."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flows.data.eventlog.lake import Batch, Lake
from registry.eventlog.segments import PREDICTIONS, ROLES, SegmentReader, is_finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One old segment that must stay, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What was removed, or would be; old segments that stay although they are old enough."""

    removed: tuple[str, ...]
    bytes: int
    kept: tuple[Kept, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Readers:
    """How far the readers of segments are: offsets by the names of segments."""

    index: Mapping[str, int]
    shadow: Mapping[str, int]


def readers_of(index_file: Path, position_file: Path) -> Readers:
    """Ask the index and the shadow's position; nothing was read where either is missing."""
    index: dict[str, int] = {}
    try:
        with closing(sqlite3.connect(f"file:{index_file}?mode=ro", uri=True, timeout=5)) as connection:
            index = dict(connection.execute("SELECT name, offset FROM segments").fetchall())
    except sqlite3.Error:
        pass
    try:
        shadow: dict[str, int] = json.loads(position_file.read_bytes())
    except (OSError, ValueError):
        shadow = {}
    return Readers(index, shadow)


def retain(events_dir: Path, lake: Lake, readers: Readers, *, keep: timedelta, dry_run: bool = True) -> Retention:
    """
    Remove segments that nobody wrote to for longer than *keep*, and that nobody needs any more.

    What has gone is in the Parquet tables and in the index. The index cannot be made anew from
    segments that are gone: back it up before, or keep them for as long as phases are looked at.

    Raises:
        Damaged: If Parquet files are not what the manifest says; nothing was removed.
    """
    removed, kept, freed = [], [], 0
    with lake.exclusively():
        sizes = {s.name: s.size for batch in _verified(lake) for s in batch.segments}
        for path in SegmentReader(events_dir, ROLES).segments():
            status = path.stat()
            if time.time() - status.st_mtime < keep.total_seconds():
                continue
            reason = _needed(path, status.st_size, sizes, readers)
            if reason:
                kept.append(Kept(name=path.name, reason=reason))
                continue
            removed.append(path.name)
            freed += status.st_size
            if not dry_run:
                path.unlink()
    return Retention(removed=tuple(removed), bytes=freed, kept=tuple(kept), dry_run=dry_run)


def _verified(lake: Lake) -> Iterator[Batch]:
    for batch in lake.batches():
        lake.verify(batch)
        yield batch


def _needed(path: Path, size: int, sizes: Mapping[str, int], readers: Readers) -> str | None:
    if not is_finished(path):
        return "its writer may still append to it"
    if sizes.get(path.name) != size:
        return "it is not compacted"
    whole = whole_bytes(path)
    if readers.index.get(path.name, 0) < whole:
        return "the index has not read it to its end"
    if path.name.startswith(f"{PREDICTIONS}-") and readers.shadow.get(path.name, 0) < whole:
        return "the shadow has not read it to its end"
    return None


def whole_bytes(path: Path) -> int:
    """Where the last whole line ends; a torn tail is never read by anybody."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
