"""What there is: segments, bytes, torn lines, and what waits to be compacted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.data.eventlog.compact import begun
from flows.data.eventlog.lake import Lake
from flows.data.eventlog.retain import Readers, whole_bytes
from registry.eventlog.segments import ROLES, SegmentReader, is_finished


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """
    Segments of one role.

    Attributes:
        open: Segments that somebody still appends to.
        waiting: Finished ones that are not compacted yet.
        unread: Bytes that the index has not read yet.
        oldest_days: Age of the oldest one; None where there is none.
        torn: Lines whose checksum is wrong.
    """

    role: str
    segments: int
    bytes: int
    open: int
    waiting: int
    unread: int
    oldest_days: float | None
    torn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """The whole log, and the Parquet tables beside it."""

    roles: tuple[RoleStatus, ...]
    lake_rows: int
    lake_bytes: int
    lake_parts: int


def survey(events_dir: Path, lake: Lake, readers: Readers) -> LogStatus:
    """Read all that is not compacted, to count torn lines; for the rest, what the manifest says."""
    batches = lake.batches()
    torn = {segment.name: segment.torn for batch in batches for segment in batch.segments}
    parts = [part for batch in batches for part in batch.parts]
    return LogStatus(
        roles=tuple(_role(role, SegmentReader(events_dir, (role,)).segments(), torn, readers) for role in ROLES),
        lake_rows=sum(part.rows for part in parts if not part.path.startswith("features/")),
        lake_bytes=sum((lake.root / part.path).stat().st_size for part in parts if (lake.root / part.path).exists()),
        lake_parts=len(parts),
    )


def _role(role: str, paths: Sequence[Path], torn: dict[str, int], readers: Readers) -> RoleStatus:
    finished = {path.name: is_finished(path) for path in paths}
    return RoleStatus(
        role=role,
        segments=len(paths),
        bytes=sum(path.stat().st_size for path in paths),
        open=sum(not one for one in finished.values()),
        waiting=sum(one and name not in torn for name, one in finished.items()),
        unread=sum(max(0, whole_bytes(path) - readers.index.get(path.name, 0)) for path in paths),
        oldest_days=round((time.time() - begun(paths[0])) / 86_400, 2) if paths else None,
        torn=sum(torn[path.name] if path.name in torn else _torn(path) for path in paths),
    )


def _torn(path: Path) -> int:
    reader, offset = SegmentReader(path.parent, ()), -1
    end = 0
    while end != offset:
        offset = end
        _, end = reader.payloads(path, offset)
    return reader.torn
