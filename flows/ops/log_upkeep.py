"""Keep the event log small: compact what is finished, remove what is old and needed by nobody."""

from datetime import timedelta
from typing import NamedTuple

from flows.data.eventlog.compact import compact
from flows.data.eventlog.place import lake_of, log_readers, served_features
from flows.data.eventlog.retain import retain
from registry.home import Settings


class Upkeep(NamedTuple):
    """
    What came of it.

    Attributes:
        compacted: Segments that became rows, or would.
        rows: How many.
        removed: Segments that were removed, or would be.
        freed: Their bytes.
    """

    compacted: int = 0
    rows: int = 0
    removed: int = 0
    freed: int = 0

    @property
    def said(self) -> str:
        """One sentence."""
        return (
            f"{self.compacted} segments of the event log became {self.rows} rows; "
            f"{self.removed} old ones with {self.freed} bytes were removed"
        )


def look_after_log(settings: Settings, *, keep: timedelta | None, dry_run: bool = False) -> Upkeep:
    """
    Compact finished segments, then remove those that are older than *keep*; safe to repeat.

    Args:
        settings: Names the state folder.
        keep: Age up to which segments stay; None keeps all.
        dry_run: Only count.

    Raises:
        DataError: If another compaction is at work.
    """
    lake = lake_of(settings)
    made = compact(settings.events_dir, lake, schema=served_features(settings), dry_run=dry_run)
    if keep is None:
        return Upkeep(compacted=made.segments, rows=made.rows)
    gone = retain(settings.events_dir, lake, log_readers(settings), keep=keep, dry_run=dry_run)
    return Upkeep(compacted=made.segments, rows=made.rows, removed=len(gone.removed), freed=gone.bytes)
