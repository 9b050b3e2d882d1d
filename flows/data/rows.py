"""Frames into the rows that a router takes."""

from typing import Any

import polars as pl

from flows.config.model import ModelConfig
from flows.data.prepare import number


def feature_rows(config: ModelConfig, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """JSON-ready features, one dict per row; NaN, infinity and null become None."""
    numbers = [number(name) for name in config.features.numeric]
    return frame.select([*numbers, *(pl.col(name).cast(pl.String) for name in config.features.categorical)]).to_dicts()
