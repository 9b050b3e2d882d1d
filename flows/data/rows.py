"""Frames into the rows that a router takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.data.prepare import number

AT_ONCE = 100_000
"""A million rows of 30 features are two gigabytes as dicts, and a quarter of one as a frame."""


def feature_rows(config: ModelConfig, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """JSON-ready features, one dict per row; NaN, infinity and null become None."""
    return _ready(config, frame).to_dicts()


class TableRows(Sequence[Mapping[str, Any]]):
    """What `feature_rows` gives, but each row is made when it is asked for."""

    def __init__(self, config: ModelConfig, frame: pl.DataFrame) -> None:
        self._frame = _ready(config, frame)

    def __len__(self) -> int:
        return self._frame.height

    @overload
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return self._frame[place].to_dicts() if isinstance(place, slice) else self._frame.row(place, named=True)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return self._frame.iter_rows(named=True)


def by_parts(
    score: Callable[[Sequence[Mapping[str, Any]]], NDArray[np.float64]], rows: Sequence[Mapping[str, Any]]
) -> NDArray[np.float64]:
    """Score a part of *rows* after the other."""
    starts = range(0, max(1, len(rows)), AT_ONCE)
    return np.concatenate([score(rows[start : start + AT_ONCE]) for start in starts])


def _ready(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    numbers = [number(name) for name in config.features.numbers]
    return frame.select([*numbers, *(pl.col(name).cast(pl.String) for name in config.features.categorical)])
