"""All labelled rows that a model may learn from: the first table and the router's log."""

from pathlib import Path

import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from flows.data.live import live_frame
from flows.errors import DataError
from registry.home import Settings


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
    columns = [*config.features.names, "_time", "_key", "_label", *(f"_kpi_{name}" for name in config.data.kpis)]
    logged = live_frame(client, config, labelled=True).select(columns)
    seed = _seed(seed_file(settings or Settings(), config.model), columns)
    parts = [logged] if seed is None else [seed, logged.join(seed, on=["_key", "_time"], how="anti")]
    rows = pl.concat(parts).filter(pl.col("_label").is_not_null())
    return rows.sort("_time", maintain_order=True)


def save_seed(settings: Settings, config: ModelConfig, frame: pl.DataFrame) -> Path:
    """Keep the first training table beside the log; replaces an earlier one whole."""
    path = seed_file(settings, config.model)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    frame.write_parquet(temporary)
    return temporary.replace(path)


def seed_file(settings: Settings, model: str) -> Path:
    """Where the first training table of *model* lies."""
    return settings.home / "tables" / f"{model}.parquet"


def _seed(path: Path, columns: list[str]) -> pl.DataFrame | None:
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
