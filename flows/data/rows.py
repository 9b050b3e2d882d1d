"""Frames into the rows that a router takes."""

from typing import Any

import polars as pl

from flows.config.model import ModelConfig


def feature_rows(config: ModelConfig, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """JSON-ready features, one dict per row; NaN and null become None."""
    numbers = [pl.col(name).fill_nan(None) for name in config.features.numeric]
    return frame.select([*numbers, *config.features.categorical]).to_dicts()
