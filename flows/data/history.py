"""All labelled rows that a model may learn from: the first table and the router's log."""

from pathlib import Path

import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from registry.home import Settings


def history(client: RouterClient, config: ModelConfig, settings: Settings | None = None) -> pl.DataFrame:
    """
    Labelled rows in time order, each once.

    Args:
        client: Reads what the router served and what labels came.
        config: Of the model.
        settings: Where the seed lies; from the environment if absent.

    Returns:
        Feature columns, `_time`, `_key`, `_label` and `_kpi_<name>`.
    """
    from flows.data.live import live_frame

    columns = [*config.features.names, "_time", "_key", "_label", *(f"_kpi_{name}" for name in config.data.kpis)]
    parts = [live_frame(client, config, labelled=True).select(columns)]
    seed = seed_file(settings or Settings(), config.model)
    if seed.exists():
        parts.insert(0, pl.read_parquet(seed).select(columns))
    rows = pl.concat(parts).filter(pl.col("_label").is_not_null())
    return rows.unique(["_key", "_time"], keep="first", maintain_order=True).sort("_time", maintain_order=True)


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
