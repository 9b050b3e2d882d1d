"""All labelled rows that a model may learn from: the first table and the router's log."""

import json
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from flows.data.keeping import keep
from flows.data.live import live_frame
from flows.errors import DataError
from registry.home import Settings

_ORIGIN = "understudy"


def history(client: RouterClient, config: ModelConfig, settings: Settings | None = None) -> pl.DataFrame:
    """
    Labelled rows in time order.

    A row of the log that the first table holds already (same key and time) is left out;
    rows without a key are all kept.

    Args:
        client: Reads what the router served and what labels came.
        config: Of the model.
        settings: Where the first table lies; from the environment if absent.

    Returns:
        Feature columns, `_time`, `_key`, `_label` and `_kpi_<name>`.

    Raises:
        DataError: If the first table was saved with other features.
    """
    columns = columns_of_history(config)
    logged = live_frame(client, config, labelled=True).select(columns)
    seed = read_seed(seed_file(settings or Settings(), config.model), columns)
    parts = [logged] if seed is None else [seed, logged.join(seed, on=["_key", "_time"], how="anti")]
    rows = pl.concat(parts).filter(pl.col("_label").is_not_null())
    return rows.sort("_time", maintain_order=True)


def columns_of_history(config: ModelConfig) -> list[str]:
    """Names of the columns of labelled rows, in order."""
    return [*config.features.names, "_time", "_key", "_label", *(f"_kpi_{name}" for name in config.data.kpis)]


class Origin(NamedTuple):
    """
    Where a first table came from.

    Attributes:
        source: For people.
        version: Which state of it.
        played: Whether the rest of the table comes through the router, so that it is not read again.
    """

    source: str = ""
    version: str = ""
    played: bool = False


UNKNOWN = Origin()


def save_seed(settings: Settings, config: ModelConfig, frame: pl.DataFrame, origin: Origin = UNKNOWN) -> Path:
    """
    Keep the first training table beside the log; replaces an earlier one whole.

    Raises:
        StoreUnavailable: If it cannot be written; an earlier one stays as it was.
    """
    what = f"The first table of {config.model} was not kept; nothing was trained."
    return keep(frame, seed_file(settings, config.model), what=what, metadata={_ORIGIN: json.dumps(origin)})


def origin_of(path: Path) -> Origin:
    """Look up where a first table came from; nothing is known of one that was put there by hand."""
    said = pl.read_parquet_metadata(path).get(_ORIGIN)
    return Origin(*json.loads(said)) if said else Origin()


def seed_file(settings: Settings, model: str) -> Path:
    """Where the first training table of *model* lies."""
    return settings.home / "tables" / f"{model}.parquet"


def read_seed(path: Path, columns: list[str]) -> pl.DataFrame | None:
    """
    Read the first table; None if there is none.

    Raises:
        DataError: If it was saved with other features.
    """
    if not path.exists():
        return None
    known = pl.read_parquet_schema(path)
    absent = [name for name in columns if name not in known]
    if absent:
        raise DataError(
            f"The first table {path} was not used.",
            f"It has no column {', '.join(absent)}.",
            "Put a table with every feature in its place, or delete it to learn from the router's log alone.",
        )
    return pl.read_parquet(path, columns=columns).select(columns)
