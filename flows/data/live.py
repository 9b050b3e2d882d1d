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
    "_reason": ("reason", pl.String),
    "_enrolled": ("enrolled", pl.Boolean),
    "_latency_ms": ("latency_ms", pl.Float64),
    "_weight": ("weight", pl.Int64),
}


def live_frame(client: RouterClient, config: ModelConfig, *, shadow: str | None = None, **wanted: Any) -> pl.DataFrame:
    """
    Joined rows of the router.

    Args:
        client: Of the router.
        config: Names the features and KPIs; a feature that a row does not have is null.
        shadow: A version, e.g. "v1.1.0": what it said of the same requests becomes `_shadow`.
        wanted: Filters of `RouterClient.rows`: after, limit, newest, labelled, since, until, phase.

    Returns:
        Feature columns and `_sequence, _time, _key, _score, _prediction, _variant, _assigned,
        _version, _phase, _reason, _enrolled, _latency_ms, _weight, _label, _kpi_<name>`, in time
        order; of several classes `_label` and `_prediction` are their numbers, and `_shadow_prediction` that
        of the shadow's. `_weight` is the propensity of `_assigned` in parts per million, null where the key was
        not dealt; `_shadow` the shadow's score, null where it did not watch, was late or failed.
    """
    raw = client.rows_raw(config.model, **wanted)
    if not raw.strip():
        return pl.DataFrame(schema=_target_schema(config, shadow))
    return _read(raw, config, shadow).select(_columns(config, shadow)).sort("_time", maintain_order=True)


def _read(raw: bytes, config: ModelConfig, shadow: str | None) -> pl.DataFrame:
    types = _feature_types(config)
    try:
        return pl.read_ndjson(raw, schema=_schema(config, types, shadow))
    except PolarsError:
        # A feature that is a number now was text when an earlier version served it.
        return pl.read_ndjson(raw, schema=_schema(config, dict.fromkeys(types, pl.String), shadow))


def _schema(config: ModelConfig, features: dict[str, Any], shadow: str | None) -> dict[str, Any]:
    outcomes = dict.fromkeys(("label", *config.data.kpis), pl.Float64)
    plain = {**dict(_PLAIN.values()), "features": pl.Struct(features), "outcomes": pl.Struct(outcomes)}
    if shadow is None:
        return plain
    said = pl.Struct(dict.fromkeys(_watched(config).values(), pl.Float64))
    return {**plain, "shadows": pl.Struct({shadow: said})}


def _watched(config: ModelConfig) -> dict[str, str]:
    """What is taken over of a shadow's answer, by column."""
    several = config.task == "multiclass"
    return {"_shadow": "score"} | ({"_shadow_prediction": "prediction"} if several else {})


def _feature_types(config: ModelConfig) -> dict[str, Any]:
    return {
        **dict.fromkeys(config.features.numbers, pl.Float64),
        **dict.fromkeys(config.features.categorical, pl.String),
    }


def _columns(config: ModelConfig, shadow: str | None) -> list[pl.Expr]:
    features = [
        pl.col("features").struct.field(name).cast(kind, strict=False) for name, kind in _feature_types(config).items()
    ]
    plain = [pl.col(source).alias(name) for name, (source, _) in _PLAIN.items()]
    outcomes = pl.col("outcomes").struct
    kpis = [outcomes.field(name).alias(f"_kpi_{name}") for name in config.data.kpis]
    watched = [] if shadow is None else _shadowed(config, shadow)
    return [*features, *plain, *watched, outcomes.field("label").alias("_label"), *kpis]


def _shadowed(config: ModelConfig, shadow: str) -> list[pl.Expr]:
    said = pl.col("shadows").struct.field(shadow).struct
    return [said.field(field).alias(name) for name, field in _watched(config).items()]


def _target_schema(config: ModelConfig, shadow: str | None) -> dict[str, Any]:
    return {
        **_feature_types(config),
        **{name: kind for name, (_, kind) in _PLAIN.items()},
        **({} if shadow is None else dict.fromkeys(_watched(config), pl.Float64)),
        "_label": pl.Float64,
        **{f"_kpi_{name}": pl.Float64 for name in config.data.kpis},
    }
