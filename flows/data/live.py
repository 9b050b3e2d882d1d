"""The router's log as a frame: features as served, labels as joined."""

from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from flows.client import RouterClient
from flows.config.model import ModelConfig

_PLAIN = {
    "_sequence": ("sequence", pl.Int64),
    "_time": ("time", pl.Float64),
    "_key": ("key", pl.String),
    "_score": ("score", pl.Float64),
    "_prediction": ("prediction", pl.Float64),
    "_variant": ("variant", pl.String),
    "_assigned": ("assigned", pl.String),
    "_version": ("model_version", pl.String),
    "_phase": ("phase", pl.String),
}


def live_frame(client: RouterClient, config: ModelConfig, **wanted: Any) -> pl.DataFrame:
    """
    Joined rows of the router.

    Args:
        client: Of the router.
        config: Names the features and KPIs; a feature that a row does not have is null.
        wanted: Filters of `RouterClient.rows`: after, limit, newest, labelled, since, until.

    Returns:
        Feature columns and `_sequence, _time, _key, _score, _prediction, _variant,
        _assigned, _version, _phase, _label, _kpi_<name>`, in time order.
    """
    raw = client.rows_raw(config.model, **wanted)
    if not raw.strip():
        return pl.DataFrame(schema=_target_schema(config))
    return _read(raw, config).select(_columns(config)).sort("_time", maintain_order=True)


def _read(raw: bytes, config: ModelConfig) -> pl.DataFrame:
    types = _feature_types(config)
    try:
        return pl.read_ndjson(raw, schema=_schema(config, types))
    except PolarsError:
        # A feature that is a number now was text when an earlier version served it.
        return pl.read_ndjson(raw, schema=_schema(config, dict.fromkeys(types, pl.String)))


def _schema(config: ModelConfig, features: dict[str, Any]) -> dict[str, Any]:
    outcomes = dict.fromkeys(("label", *config.data.kpis), pl.Float64)
    return {**dict(_PLAIN.values()), "features": pl.Struct(features), "outcomes": pl.Struct(outcomes)}


def _feature_types(config: ModelConfig) -> dict[str, Any]:
    return {
        **dict.fromkeys(config.features.numeric, pl.Float64),
        **dict.fromkeys(config.features.categorical, pl.String),
    }


def _columns(config: ModelConfig) -> list[pl.Expr]:
    features = [
        pl.col("features").struct.field(name).cast(kind, strict=False) for name, kind in _feature_types(config).items()
    ]
    plain = [pl.col(source).alias(name) for name, (source, _) in _PLAIN.items()]
    outcomes = pl.col("outcomes").struct
    kpis = [outcomes.field(name).alias(f"_kpi_{name}") for name in config.data.kpis]
    return [*features, *plain, outcomes.field("label").alias("_label"), *kpis]


def _target_schema(config: ModelConfig) -> dict[str, Any]:
    return {
        **_feature_types(config),
        **{name: kind for name, (_, kind) in _PLAIN.items()},
        "_label": pl.Float64,
        **{f"_kpi_{name}": pl.Float64 for name in config.data.kpis},
    }
