"""Finished segments into Parquet: every line in exactly one row, whatever kills this in between."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from flows.data.eventlog.lake import Batch, Intent, Lake, Part, Segment, placed
from flows.data.eventlog.tables import DECODER, Event, date_of, features_of, frame_of, table_of
from registry.eventlog.segments import ROLES, SegmentReader, is_finished
from registry.records.version import Feature

BATCH_BYTES = 256 << 20
MOST_ROWS = 50_000
Group = tuple[str, str, str]
Schema = Callable[[str], Sequence[Feature]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What was compacted, or would be."""

    segments: int
    bytes: int
    rows: int
    torn: int
    parts: int
    dry_run: bool


def compact(
    events_dir: Path,
    lake: Lake,
    *,
    before: datetime | None = None,
    schema: Schema | None = None,
    dry_run: bool = False,
    batch_bytes: int = BATCH_BYTES,
) -> Compaction:
    """
    Compact every segment that nobody writes to any more and that was not compacted yet.

    Args:
        before: Only segments that were begun before this moment.
        schema: Features of a model, if known: they become the table `features/NAME` with typed columns.
        batch_bytes: Segments that go into the same Parquet files, by their bytes; at least one goes.

    Raises:
        DataError: If another compaction is at work.
        Damaged: If the rows that were written are not those that were read.
    """
    with lake.exclusively():
        if dry_run:
            found = waiting(events_dir, lake, before)
            return Compaction(segments=len(found), bytes=_bytes(found), rows=0, torn=0, parts=0, dry_run=True)
        done = list(_batches(events_dir, lake, before, schema, batch_bytes))
    segments = [segment for batch in done for segment in batch.segments]
    return Compaction(
        segments=len(segments),
        bytes=sum(segment.size for segment in segments),
        rows=sum(segment.rows for segment in segments),
        torn=sum(segment.torn for segment in segments),
        parts=sum(len(batch.parts) for batch in done),
        dry_run=False,
    )


def waiting(events_dir: Path, lake: Lake, before: datetime | None = None) -> list[Path]:
    """Finished segments that are in no batch yet, oldest first."""
    known = {segment.name for batch in lake.batches() for segment in batch.segments}
    return [
        path
        for path in SegmentReader(events_dir, ROLES).segments()
        if path.name not in known and (before is None or begun(path) < before.timestamp()) and is_finished(path)
    ]


def begun(path: Path) -> float:
    """When a segment was begun, epoch seconds."""
    return int(path.name.split("-")[1]) / 1e9


def _batches(
    events_dir: Path, lake: Lake, before: datetime | None, schema: Schema | None, most: int
) -> Iterator[Batch]:
    left = lake.begun()
    if left is not None:
        yield _compact(events_dir, lake, left, schema)
    found = waiting(events_dir, lake, before)
    while found:
        size = 0
        chosen: list[Path] = []
        while found and (not chosen or size + found[0].stat().st_size <= most):
            size += found[0].stat().st_size
            chosen.append(found.pop(0))
        yield _compact(events_dir, lake, lake.begin(tuple(path.name for path in chosen)), schema)


def _compact(events_dir: Path, lake: Lake, intent: Intent, schema: Schema | None) -> Batch:
    lake.clear(intent.number)
    sink = _Sink(lake, intent.number, schema)
    paths = [events_dir / name for name in intent.segments]
    segments = tuple(_pour(path, sink) for path in paths if path.exists())
    batch = Batch(number=intent.number, segments=segments, parts=sink.finish())
    lake.verify(batch)
    lake.commit(batch)
    return batch


def _pour(path: Path, sink: "_Sink") -> Segment:
    reader, offset, rows, strange = SegmentReader(path.parent, ()), 0, 0, 0
    while True:
        payloads, end = reader.payloads(path, offset)
        if end == offset:
            break
        offset = end
        for payload in payloads:
            try:
                event = DECODER.decode(payload)
            except msgspec.MsgspecError:
                strange += 1
                continue
            sink.add(event, begun(path))
            rows += 1
    return Segment(name=path.name, size=path.stat().st_size, rows=rows, torn=reader.torn + strange)


class _Sink:
    """Collects events and writes them as parts; the same events in the same order make the same files."""

    def __init__(self, lake: Lake, number: int, schema: Schema | None) -> None:
        self._lake, self._number, self._schema = lake, number, schema
        self._groups: dict[Group, list[Event]] = {}
        self._held = self._written = 0
        self._parts: list[Part] = []

    def add(self, event: Event, otherwise: float) -> None:
        """Take one event; its date is that of *otherwise* where it has no time."""
        self._groups.setdefault((table_of(event), date_of(event, otherwise), event.model), []).append(event)
        self._held += 1
        if self._held >= MOST_ROWS:
            self._write()

    def finish(self) -> tuple[Part, ...]:
        """Write what is left; all parts."""
        self._write()
        return tuple(self._parts)

    def _write(self) -> None:
        for (table, date, model), events in self._groups.items():
            frame = frame_of(table, events)
            self._place(f"{table}/date={date}/model={model}", frame)
            features = self._schema(model) if self._schema and table == "predictions" else ()
            if features:
                self._place(f"features/{model}/date={date}", features_of(frame, features))
            self._written += 1
        self._groups, self._held = {}, 0

    def _place(self, folder: str, frame: pl.DataFrame) -> None:
        path = f"{folder}/part-{self._number:06d}-{self._written:04d}.parquet"
        with placed(self._lake.root / path) as draft:
            frame.write_parquet(draft, compression="zstd")
        self._parts.append(Part(path=path, rows=frame.height))


def _bytes(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
