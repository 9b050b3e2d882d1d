"""The table that is played."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.data import feature_rows, prepare
from flows.data.tables import raw_table
from flows.replay.errors import ReplayRefused
from registry.records.live import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    A prepared table, row by row.

    Attributes:
        frame: As `flows.data.prepare` gives it, in time order.
        times: Shape (n,), epoch seconds.
        features: Of each row, as a caller sends them.
        kpis: By name, shape (n,), nan where there is none.
    """

    frame: pl.DataFrame
    times: NDArray[np.float64]
    keys: list[str]
    labels: NDArray[np.float64]
    features: list[dict[str, Any]]
    kpis: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.times)

    def outcomes(self, row: int) -> dict[str, float]:
        """Everything that becomes known of one row: its label, if it has one, and its KPIs."""
        known = {"label": self.labels[row]} | {name: values[row] for name, values in self.kpis.items()}
        return {name: float(value) for name, value in known.items() if not np.isnan(value)}

    def fingerprint(self) -> str:
        """Hash of what is played."""
        digest = hashlib.sha256(self.times.tobytes() + self.labels.tobytes())
        digest.update("\n".join(self.keys).encode())
        return digest.hexdigest()


def load(config: ModelConfig, source: Path | None, limit: int | None) -> Table:
    """
    Read and prepare.

    Args:
        config: Names the columns.
        source: Table; that of the configuration if absent.
        limit: Only the first so many rows.

    Raises:
        DataError: If the table does not fit the configuration.
    """
    frame = prepare(config, raw_table(config, source))
    if limit is not None:
        frame = frame.head(limit)
    return Table(
        frame=frame,
        times=frame["_time"].to_numpy().astype(np.float64),
        keys=frame["_key"].to_list(),
        labels=frame["_label"].fill_null(float("nan")).to_numpy().astype(np.float64),
        features=feature_rows(config, frame),
        kpis={name: _kpi(frame, name, column) for name, column in config.data.kpis.items()},
    )


def first_rows(rows: int, share: float, least: int) -> int:
    """
    Count the rows of the first training.

    Args:
        rows: Length of the table.
        share: Of them, for the first training.
        least: As many as a training needs.

    Raises:
        ReplayRefused: If they, or the rest, are too few.

    Example:
        >>> first_rows(10_000, 0.1, 500)
        1000
    """
    count = int(rows * share)
    if count < max(least, 2):
        raise ReplayRefused(
            "Nothing was played.",
            f"The first {count} of {rows} rows are too few to train the first champion; {least} are needed.",
            "Use a longer table, a larger --first, or a smaller training.min_rows.",
        )
    if count >= rows:
        raise ReplayRefused("Nothing was played.", "No row is left to play.", "Give a --first below 1.")
    return count


def outcome(identity: str, metric: str, value: float, time: float) -> Outcome:
    """Make the outcome document of one value; its id is the same after every interruption."""
    return Outcome(prediction_id=identity, metric=metric, value=value, time=time, id=f"{identity}-{metric}")


def _kpi(frame: pl.DataFrame, name: str, column: str) -> NDArray[np.float64]:
    found = next(one for one in (f"_kpi_{name}", column) if one in frame.columns)
    return frame[found].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
