"""The table of a model: read from its source, or kept from its first training."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import polars as pl

from flows.config.model import ModelConfig
from flows.data.digest import rows_digest
from flows.data.files import read_table
from flows.data.history import Origin, columns_of_history, origin_of, read_seed, seed_file
from flows.data.prepare import prepare
from flows.data.sources import Source, columns_needed, grows, source_of
from flows.data.sources.incremental import Incremental
from flows.data.untyped import UNTYPED, without_untyped
from flows.errors import DataError
from registry.home import Settings

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    Labelled rows of one origin.

    Attributes:
        frame: In one shape and in time order; perhaps with `_untyped`.
        source: For people; without passwords.
        version: Which state of it.
    """

    frame: pl.DataFrame
    source: str
    version: str


def tables_of(config: ModelConfig, settings: Settings, *, until: float, tolerant: bool) -> list[Table]:
    """
    Read the table of the first training, and the source if it grows or there is no such table.

    Args:
        config: Of the model.
        settings: Names the state folder.
        until: Epoch seconds; later rows are not needed.
        tolerant: Whether text in a numeric column is left to the contract, rather than refused.
    """
    path = seed_file(settings, config.model)
    seed = read_seed(path, columns_of_history(config))
    origin = Origin() if seed is None else origin_of(path)
    kept = [] if seed is None else [_kept(seed, origin)]
    again = seed is None or (grows(config.data.source) and not origin.played)
    source = growing(config, settings) if again else None
    if source is None:
        return kept

    def read(since: float | None) -> Table:
        return read_source(config, source, since=since, until=until, tolerant=tolerant)

    return [*kept, within_reach(config, read, lambda table: table.frame["_time"], until)]


def growing(config: ModelConfig, settings: Settings) -> Source | None:
    """Open the source that grows; where rows are only added to it, what was read before is kept."""
    source, data = source_of(config), config.data
    if source is None or data.time is None or not data.incremental:
        return source
    file = settings.home / "tables" / f"{config.model}.read.parquet"
    return Incremental(source, file, time=data.time, overlap=data.label_delay.total_seconds())


def within_reach(
    config: ModelConfig, read: Callable[[float | None], Read], times: Callable[[Read], pl.Series], until: float
) -> Read:
    """
    Read what the windows of the training can reach, and no more.

    Windows reach back from the newest row, wherever that is: where it is older than expected, it is read again.

    Args:
        config: Names the windows.
        read: Reads rows since epoch seconds; None: all.
        times: Looks up `_time` of what was read, in order.
        until: Epoch seconds, now.
    """
    windows = (config.training.window, *config.training.candidate_windows)
    if config.data.time is None or None in windows:
        return read(None)
    back = _reach(config)
    since = until - back - config.data.label_delay.total_seconds()
    found = read(since)
    newest = times(found)
    if newest.is_empty():
        return read(None)
    needed = float(newest[-1]) - back
    return found if needed >= since else read(needed)


def _reach(config: ModelConfig) -> float:
    """Twice the longest window, in seconds: one before the holdout, and the holdout lies within another."""
    windows = (config.training.window, *config.training.candidate_windows)
    return 2 * max(window.total_seconds() for window in windows if window is not None)


def read_source(
    config: ModelConfig, source: Source, *, since: float | None = None, until: float | None = None, tolerant: bool
) -> Table:
    """
    Read and bring into shape.

    Raises:
        DataError: If the source cannot be used, or has no rows at all.
        Unreachable: If its database does not answer.
    """
    version = source.version()
    raw = source.read(columns_needed(config), since, until)
    if raw.is_empty() and since is None:
        limit = "" if until is None else f" up to {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
        raise DataError(
            f"The table {source.describe()} was not read.", f"It has no rows{limit}.", "Give a table with rows."
        )
    typed = without_untyped(config, raw) if tolerant else raw
    also = [UNTYPED] if UNTYPED in typed.columns else []
    frame = prepare(config, typed, also=also)
    return Table(frame=frame, source=source.describe(), version=version or rows_digest(frame))


def raw_table(config: ModelConfig, chosen: str | Path | None = None) -> pl.DataFrame:
    """
    Read all rows of a configuration's source, or of the file *chosen*, as they are.

    Raises:
        DataError: If there is none, or it cannot be read.
        Unreachable: If its database does not answer.
    """
    named = config.data.source
    if chosen is not None or named is None or not grows(named):
        return read_table(_named(chosen or named))
    source = source_of(config)
    assert source is not None
    raw = source.read(columns_needed(config), None, None)
    if raw.is_empty():
        raise DataError(f"The table {source.describe()} was not read.", "It has no rows.", "Give a table with rows.")
    return raw


def _named(path: str | Path | None) -> str | Path:
    if path is None:
        raise DataError("No table was read.", "The configuration names none.", "Set data.source, or give a file.")
    return path


def _kept(seed: pl.DataFrame, origin: Origin) -> Table:
    return Table(frame=seed, source=origin.source or "first table", version=origin.version or rows_digest(seed))
