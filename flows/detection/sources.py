"""Where the rows of a look come from: the router's log, or a table."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.client import RouterClient
from flows.comparison.scoring import TableScorer
from flows.config.model import ModelConfig
from flows.data.files import read_table
from flows.data.live import live_frame
from flows.data.prepare import prepare
from flows.data.rows import feature_rows
from registry.artifacts import ArtifactStore
from registry.errors import NotFound
from registry.records.version import ModelVersion

TABLE = "table"
"""Source of a kept report whose rows were not the router's."""
SCORES = ("_score", "score")
"""Columns of a table that may hold what the champion said, the first that is there."""
_SCORE = "_kpi__score"
_AT_ONCE = 20_000  # rows that are scored as dictionaries, which take much memory

Score = Callable[[list[dict[str, Any]]], NDArray[np.float64]]


@runtime_checkable
class Source(Protocol):
    """Rows in time order, as `flows.data.live.live_frame` gives them."""

    def newest(self, rows: int) -> pl.DataFrame:
        """Read the newest rows, labelled or not."""
        ...

    def labelled(self, rows: int) -> pl.DataFrame:
        """Read the newest rows that have a label."""
        ...

    def labelled_since(self, since: float) -> int:
        """Count the rows with a label at or after an epoch second."""
        ...

    def between(self, since: float, until: float) -> pl.DataFrame:
        """Read the rows from one epoch second to before another."""
        ...


class LiveRows:
    """
    The router's log.

    Raises:
        Unreachable: From every method, if the router does not answer.
    """

    def __init__(self, client: RouterClient, config: ModelConfig) -> None:
        self._client, self._config = client, config
        self._asked, self._labelled = 0, pl.DataFrame()

    def newest(self, rows: int) -> pl.DataFrame:
        """Read the newest rows, labelled or not."""
        return live_frame(self._client, self._config, newest=rows)

    def labelled(self, rows: int) -> pl.DataFrame:
        """Read the newest rows that have a label."""
        self._asked, self._labelled = rows, live_frame(self._client, self._config, labelled=True, newest=rows)
        return self._labelled

    def labelled_since(self, since: float) -> int:
        """Count the rows with a label; the log is asked only where the labelled rows read before begin later."""
        known = self._labelled
        if self._asked and (known.height < self._asked or _first(known) < since):
            return _since(known, since)
        return self._client.rows_raw(self._config.model, labelled=True, since=since).count(b"\n")

    def between(self, since: float, until: float) -> pl.DataFrame:
        """Read the rows from one epoch second to before another."""
        return live_frame(self._client, self._config, since=since, until=until)


class TableRows:
    """
    A table, whose rows count as the champion's.

    Args:
        frame: As `table_frame` gives it.
        version: The champion's.
        score: Of features, one dict per row; asked only for rows that a look needs. None if the table has scores.
    """

    def __init__(self, frame: pl.DataFrame, config: ModelConfig, version: str, score: Score | None = None) -> None:
        self._frame = frame.with_columns(pl.lit(version).alias("_version"))
        self._config, self._score = config, score

    def newest(self, rows: int) -> pl.DataFrame:
        """Give the newest rows, labelled or not."""
        return self._scored(self._frame.tail(rows))

    def labelled(self, rows: int) -> pl.DataFrame:
        """Give the newest rows that have a label."""
        return self._scored(self._known().tail(rows))

    def labelled_since(self, since: float) -> int:
        """Count the rows with a label at or after an epoch second."""
        return _since(self._known(), since)

    def between(self, since: float, until: float) -> pl.DataFrame:
        """Give the rows from one epoch second to before another; scores only where the table has them."""
        rows = self._frame.filter((pl.col("_time") >= since) & (pl.col("_time") < until))
        return rows if _SCORE not in rows else rows.rename({_SCORE: "_score"})

    def _known(self) -> pl.DataFrame:
        return self._frame.filter(pl.col("_label").is_not_null())

    def _scored(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self._score is None:
            return rows.rename({_SCORE: "_score"})
        parts = [self._score(feature_rows(self._config, part)) for part in rows.iter_slices(_AT_ONCE) if part.height]
        if self._config.task == "multiclass":
            return rows.with_columns(
                _score=pl.Series([p for part in parts for p in part.max(axis=1)], dtype=pl.Float64),
                _prediction=pl.Series([n for part in parts for n in part.argmax(axis=1)], dtype=pl.Float64),
            )
        return rows.with_columns(pl.Series("_score", np.concatenate([*parts, np.zeros(0)]), dtype=pl.Float64))


def table_frame(config: ModelConfig, path: str | Path, until: datetime | None = None) -> pl.DataFrame:
    """
    Read a table to be looked at.

    Args:
        config: Names the columns; the target and the KPIs may be absent, and are then not known.
        path: As for `flows.data.files.scan_table`.
        until: Only rows up to this moment; all if None.

    Returns:
        As `flows.data.prepare.prepare`; with the scores, if the table has a column `_score` or `score` that is
        no feature.

    Raises:
        DataError: If it cannot be read, or a feature, the time or the key is absent or of a wrong type.
    """
    frame = read_table(path)
    named = {*config.features.names, config.target, *config.data.kpis.values()}
    score = next((name for name in SCORES if name in frame.columns and name not in named), None)
    unknown = [name for name in (config.target, *config.data.kpis.values()) if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in unknown)
    rows = prepare(_with_score(config, score), frame)
    return rows if until is None else rows.filter(pl.col("_time") <= until.timestamp())


def open_table(
    config: ModelConfig,
    path: str | Path,
    champion: ModelVersion | None,
    artifacts: ArtifactStore,
    until: datetime | None = None,
) -> TableRows:
    """
    Open a table to be looked at with the eyes of the champion.

    Args:
        config: Of the model.
        path: As for `table_frame`, like *until*.
        champion: Scores the rows where the table has no scores.
        artifacts: Where its files are.
        until: Only rows up to this moment; all if None.

    Raises:
        NotFound: If there is no champion.
        DataError: If the table is of no use, or the champion gives no usable scores.
        ArtifactRefused: If the champion's files are altered, or make no scorer.
    """
    if champion is None:
        raise NotFound(f"{config.model} was not looked at.", "It has no champion.", "Train one: `understudy train`.")
    frame = table_frame(config, path, until)
    if config.task == "multiclass":  # one score would not say which class
        frame = frame.drop(_SCORE, strict=False)
    score = None if _SCORE in frame else TableScorer(champion, artifacts).score
    return TableRows(frame, config, champion.version, score)


def _with_score(config: ModelConfig, score: str | None) -> ModelConfig:
    """The score is typed and checked as one more number of the table."""
    if score is None:
        return config
    data = config.data.model_copy(update={"kpis": {**config.data.kpis, "_score": score}})
    return config.model_copy(update={"data": data})


def _first(rows: pl.DataFrame) -> float:
    return float(rows["_time"].min())  # type: ignore[arg-type]  # a float column that is not empty


def _since(rows: pl.DataFrame, since: float) -> int:
    return rows.filter(pl.col("_time") >= since).height
