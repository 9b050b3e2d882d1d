"""One shape for every table: typed features and `_time`, `_key`, `_label`."""

from datetime import UTC, datetime

import polars as pl
from polars.exceptions import PolarsError

from flows.config.model import ModelConfig
from flows.errors import DataError

EPOCH = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def prepare(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    """
    Type the features and name the rest; every problem is said at once.

    Args:
        frame: As read.

    Returns:
        Feature columns (Float64 and String; NaN and infinity become null), `_time` in
        epoch seconds, `_key` as text, `_label` as 0/1 or value, and `_kpi_<name>`; in
        time order. Without a time column rows are `data.row_every` apart; without a key
        the row number is the key.

    Raises:
        DataError: If a column is absent or of a wrong type, or a label makes no sense.
    """
    mistakes = _absent(config, frame) or _untypable(config, frame)
    if mistakes:
        raise DataError(
            f"The table for {config.model} was refused.",
            "; ".join(mistakes) + ".",
            "Correct the names in the configuration, or the table.",
        )
    columns = [*_features(config), _time(config), _key(config), _label(config, frame), *_kpis(config)]
    return frame.with_row_index("_row").select(columns).sort("_time", maintain_order=True)


def features_only(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    """Type the feature columns of a frame that has no label."""
    absent = [name for name in config.features.names if name not in frame.columns]
    if absent:
        raise DataError("The table was refused.", f"No column {', '.join(absent)}.", f"It has: {_names(frame)}.")
    return frame.with_columns(_features(config))


def _features(config: ModelConfig) -> list[pl.Expr]:
    numeric = [_number(name).alias(name) for name in config.features.numeric]
    return [*numeric, *(pl.col(name).cast(pl.String).alias(name) for name in config.features.categorical)]


def _number(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)


def _time(config: ModelConfig) -> pl.Expr:
    if config.data.time is None:
        return (pl.col("_row") * config.data.row_every.total_seconds() + EPOCH).cast(pl.Float64).alias("_time")
    return (pl.col(config.data.time).cast(pl.Datetime("us")).dt.epoch("us") / 1e6).alias("_time")


def _key(config: ModelConfig) -> pl.Expr:
    return pl.col(config.data.key or "_row").cast(pl.String).alias("_key")


def _label(config: ModelConfig, frame: pl.DataFrame) -> pl.Expr:
    if config.task == "regression":
        return _number(config.target).alias("_label")
    positive = config.data.positive
    if positive is None:
        return pl.col(config.target).cast(pl.Float64).alias("_label")
    wanted = pl.lit(str(positive)) if frame[config.target].dtype == pl.String else pl.lit(positive)
    column = pl.col(config.target)
    return pl.when(column.is_not_null()).then((column == wanted).cast(pl.Float64)).alias("_label")


def _kpis(config: ModelConfig) -> list[pl.Expr]:
    return [_number(column).alias(f"_kpi_{name}") for name, column in config.data.kpis.items()]


def _absent(config: ModelConfig, frame: pl.DataFrame) -> list[str]:
    roles = dict.fromkeys(config.features.names, "feature") | {config.target: "target"}
    roles |= {c: f"KPI {name}" for name, c in config.data.kpis.items()}
    roles |= {c: role for c, role in ((config.data.time, "time"), (config.data.key, "key")) if c is not None}
    absent = [f"{role} {column!r} is no column" for column, role in roles.items() if column not in frame.columns]
    return [*absent, f"the table has {_names(frame)}"] if absent else []


def _untypable(config: ModelConfig, frame: pl.DataFrame) -> list[str]:
    numeric = [*config.features.numeric, *config.data.kpis.values()]
    numeric += [config.target] if config.task == "regression" else []
    mistakes = [f"{name!r} holds {_type(frame, name)}, expected numbers" for name in numeric if not _fits(frame, name)]
    time = config.data.time
    if time is not None and not _temporal(frame, time):
        mistakes.append(f"time {time!r} holds {_type(frame, time)}, expected timestamps")
    if not mistakes and config.task == "binary":
        mistakes += _binary_mistakes(config, frame)
    return mistakes


def _fits(frame: pl.DataFrame, name: str) -> bool:
    kind = frame[name].dtype
    return kind.is_numeric() or kind in (pl.Boolean, pl.Null)


def _temporal(frame: pl.DataFrame, name: str) -> bool:
    try:
        return frame[name].cast(pl.Datetime("us")).null_count() == frame[name].null_count() == 0
    except PolarsError:
        return False


def _binary_mistakes(config: ModelConfig, frame: pl.DataFrame) -> list[str]:
    values = frame[config.target].drop_nulls().unique().to_list()
    shown = ", ".join(repr(v) for v in sorted(values, key=str)[:5])
    if config.data.positive is None:
        return [] if set(values) <= {0, 1} else [f"target {config.target!r} holds {shown}; set data.positive"]
    known = config.data.positive in values or str(config.data.positive) in map(str, values)
    return [] if known else [f"target {config.target!r} never is {config.data.positive!r}; it holds {shown}"]


def _type(frame: pl.DataFrame, name: str) -> str:
    return str(frame[name].dtype)


def _names(frame: pl.DataFrame) -> str:
    return ", ".join(frame.columns[:30])
