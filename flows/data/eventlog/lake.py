"""The folder of Parquet tables, and the manifest that says which segment went where."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import polars as pl

from flows.errors import DataError


class Damaged(DataError):
    """Parquet files that are not what the manifest says; nothing was removed."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment as it was compacted: its size in bytes, whole lines, and lines that were torn."""

    name: str
    size: int
    rows: int
    torn: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file, by its path under the lake."""

    path: str
    rows: int


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Segments that were compacted together; written when every part is in its place."""

    number: int
    segments: tuple[Segment, ...]
    parts: tuple[Part, ...]


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was begun: whoever is killed in it repeats exactly this one."""

    number: int
    segments: tuple[str, ...]


class Lake:
    """
    Tables of one state folder.

    Args:
        root: Holds one folder per table, and `_manifest`, which readers of Parquet pass over.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifest = root / "_manifest"
        self._intent = self._manifest / "intent.json"

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """
        Let one compaction or retention at a time work on it.

        Raises:
            DataError: If another one is at work.
        """
        self._manifest.mkdir(parents=True, exist_ok=True)
        with (self._manifest / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(
                    "Nothing was done.", f"Another `understudy log` is at work on {self.root}.", "Wait until it ends."
                ) from None
            yield

    def batches(self) -> list[Batch]:
        """Everything that was compacted, oldest first."""
        files = sorted(self._manifest.glob("batch-*.json"))
        return [msgspec.json.decode(file.read_bytes(), type=Batch) for file in files]

    def begun(self) -> Intent | None:
        """The batch that a killed compaction left, if any."""
        try:
            found = msgspec.json.decode(self._intent.read_bytes(), type=Intent)
        except FileNotFoundError:
            return None
        if self._file(found.number).exists():  # killed between the last two steps
            self._intent.unlink()
            return None
        return found

    def begin(self, segments: tuple[str, ...]) -> Intent:
        """Say durably what is going to be compacted."""
        number = max((batch.number for batch in self.batches()), default=0) + 1
        intent = Intent(number=number, segments=segments)
        with placed(self._intent) as draft:
            draft.write_bytes(msgspec.json.encode(intent))
        return intent

    def commit(self, batch: Batch) -> None:
        """Say durably that it is done."""
        with placed(self._file(batch.number)) as draft:
            draft.write_bytes(msgspec.json.encode(batch))
        self._intent.unlink()

    def clear(self, number: int) -> None:
        """Remove what an unfinished batch left behind."""
        for pattern in (f"part-{number:06d}-*.parquet", f".part-{number:06d}-*"):
            for file in self.root.rglob(pattern):
                file.unlink()

    def verify(self, batch: Batch) -> None:
        """
        Look whether all rows of a batch are there.

        Raises:
            Damaged: With every file that is missing, or holds another number of rows.
        """
        found = {part.path: rows_of(self.root / part.path) for part in batch.parts}
        wrong = [f"{p.path} has {found[p.path]} rows, not {p.rows}" for p in batch.parts if found[p.path] != p.rows]
        lines, rows = sum(s.rows for s in batch.segments), sum(p.rows for p in batch.parts if _is_event(p.path))
        if lines != rows:
            wrong.append(f"{lines} lines became {rows} rows")
        if wrong:
            mend = "Remove the batch's file in _manifest and compact again, while its segments are there."
            raise Damaged(f"Batch {batch.number} of {self.root} is damaged.", "; ".join(wrong) + ".", mend)

    def _file(self, number: int) -> Path:
        return self._manifest / f"batch-{number:06d}.json"


@contextmanager
def placed(path: Path) -> Iterator[Path]:
    """Write the file that this gives; it takes its place whole and durable, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    yield draft
    _sync(draft, os.O_RDWR)
    draft.replace(path)
    _sync(path.parent, os.O_RDONLY)


def rows_of(path: Path) -> int | None:
    """Number of rows by the file's own footer; None if it cannot be read."""
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError):
        return None


def _is_event(path: str) -> bool:
    return not path.startswith("features/")


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
