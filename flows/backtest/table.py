"""The table as arrays: numbers as they are, levels as codes in the order of their first appearance."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.backtest.errors import BacktestRefused
from flows.config.data import Features
from flows.config.model import ModelConfig
from flows.data import prepare
from registry.records.version import Task
from registry.scoring.dates import phases

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    Labelled rows in the order of time.

    Attributes:
        features: Names; numeric ones come first.
        task: Binary or regression.
        values: Shape (n, numeric + 3 * dates), NaN where missing; of a date its hour, weekday and day of the year.
        codes: Shape (n, categorical): a level's number by first appearance, so that later rows change none.
        times: Epoch seconds, ascending.
        labels: 0 or 1, or the value.
        frame: The same features as polars has them.
        delay: Seconds after which a label arrives.
        unlabelled: Rows that were left out for want of a label.
    """

    features: Features
    task: Task
    values: Floats
    codes: NDArray[np.int64]
    times: Floats
    labels: Floats
    frame: pl.DataFrame
    delay: float
    unlabelled: int = 0

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.labels)

    def known(self, now: float) -> int:
        """Count the rows whose label has arrived at *now*."""
        return int(np.searchsorted(self.times, now - self.delay, side="right"))


def read(config: ModelConfig, raw: pl.DataFrame) -> Table:
    """
    Type the columns that the configuration names; rows without a label are left out and counted.

    Raises:
        DataError: With all that is wrong with the columns.
        BacktestRefused: If no label is left, or all are the same, or there are several classes.
    """
    if config.task == "multiclass":
        raise BacktestRefused(
            "Nothing was replayed.",
            "The task is multiclass: policies are tried with models of one score per row.",
            "Replay it with the whole system: `understudy replay`.",
        )
    prepared = prepare(config, raw)
    frame = prepared.filter(pl.col("_label").is_not_null())
    labels = frame["_label"].to_numpy().astype(np.float64)
    if np.unique(labels).size < 2:
        held = f"all {labels.size} labels are {labels[0]:g}" if labels.size else "no row has a label"
        raise BacktestRefused(
            "Nothing was replayed.", f"In column {config.target!r} {held}.", "Give a table whose outcome varies."
        )
    features = config.features
    return Table(
        features=features,
        task=config.task,
        values=_values(frame, features),
        codes=_codes(frame, features.categorical),
        times=frame["_time"].to_numpy(),
        labels=labels,
        frame=frame.select(features.names),
        delay=config.data.label_delay.total_seconds(),
        unlabelled=prepared.height - frame.height,
    )


def _values(frame: pl.DataFrame, features: Features) -> Floats:
    numbers = frame.select(features.numeric).to_numpy().astype(np.float64).reshape(frame.height, -1)
    return np.column_stack([numbers, phases(frame.select(features.dates))]) if features.dates else numbers


def _codes(frame: pl.DataFrame, names: tuple[str, ...]) -> NDArray[np.int64]:
    found = [_numbered(frame[name]) for name in names]
    return np.column_stack(found) if found else np.empty((frame.height, 0), dtype=np.int64)


def _numbered(column: pl.Series) -> NDArray[np.int64]:
    """Number levels by first appearance; missing is a level of its own."""
    levels = column.unique(maintain_order=True)
    numbers = dict(zip(levels.to_list(), range(levels.len()), strict=True))
    return np.array([numbers[value] for value in column.to_list()], dtype=np.int64)
