"""Rows of a table as the version's callers would send them."""

import random
from collections.abc import Sequence
from typing import Any

import polars as pl

from flows.config.model import ModelConfig
from flows.data.prepare import number
from flows.data.rows import feature_rows
from flows.errors import DataError
from registry.records.version import Feature, ModelVersion


def rows_for(config: ModelConfig, version: ModelVersion, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """
    JSON-ready features of *version*, one dict per row.

    A version of another time may want other features than the configuration: they are read as they are.

    Raises:
        DataError: If the table lacks a feature, or has no rows.
    """
    names = [feature.name for feature in version.features]
    absent = [name for name in names if name not in frame.columns]
    if absent or frame.is_empty():
        why = f"The rows have no {', '.join(map(repr, absent))}." if absent else "There are no rows to ask about."
        raise DataError(f"{version.model} {version.version} was not validated.", why, "Give a table by --table FILE.")
    if set(config.features.names) <= set(frame.columns) and set(names) <= set(config.features.names):
        return [{name: row[name] for name in names} for row in feature_rows(config, frame)]
    return frame.select([_column(feature) for feature in version.features]).to_dicts()


def _column(feature: Feature) -> pl.Expr:
    return pl.col(feature.name).cast(pl.String) if feature.kind == "categorical" else number(feature.name)


def made_up(features: Sequence[Feature], count: int = 200) -> pl.DataFrame:
    """
    Rows within the ranges and levels of *features*, for a version of which no rows are known.

    The same ones each time.
    """
    dice = random.Random(0)  # noqa: S311  no secret
    return pl.DataFrame(
        {one.name: [_any(one, dice) for _ in range(count)] for one in features},
        schema={one.name: pl.String if one.kind == "categorical" else pl.Float64 for one in features},
    )


def _any(feature: Feature, dice: random.Random) -> float | str | None:
    if feature.kind == "categorical":
        return dice.choice(feature.levels) if feature.levels else None
    return dice.uniform(feature.low or 0.0, feature.high if feature.high is not None else 1.0)
