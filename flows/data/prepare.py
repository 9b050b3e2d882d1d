"""One shape for every table: typed features and `_time`, `_key`, `_label`."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
from polars.exceptions import PolarsError

from flows.config.model import ModelConfig
from flows.data.classes import class_mistakes, class_numbers
from flows.data.dates import dates_mistakes, moments
from flows.errors import DataError

EPOCH = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
RESERVED = frozenset({"_time", "_key", "_label"})
LATEST = 1e11  # epoch seconds; milliseconds would be beyond, and the router refuses them
_ISO = r"^\d{4}-\d{2}-\d{2}"  # 01/02/2026 is another day on the other side of the ocean


def prepare(config: ModelConfig, frame: pl.DataFrame, *, also: Sequence[str] = ()) -> pl.DataFrame:
    """
    Type the features and name the rest; every problem is said at once.

    Args:
        config: Names the columns.
        frame: As read.
        also: Further columns that are kept as they are, last.

    Returns:
        Feature columns (Float64 and String; NaN and infinity become null; dates are epoch seconds), `_time` in
        epoch seconds, `_key` as text, `_label` as 0/1, number of the class or value, and `_kpi_<name>`; in
        time order, rows of equal time in the table's order. Times without a zone are
        taken as UTC. Without a time column rows are `data.row_every` apart; without a
        key the row number is the key.

    Raises:
        DataError: If a column is absent or of a wrong type, or a label makes no sense.
    """
    mistakes = [*_absent(config, frame), *_untypable(config, frame)]
    if mistakes:
        raise DataError(
            f"The table for {config.model} was refused.",
            "; ".join(mistakes) + ".",
            "Correct the names in the configuration, or the table.",
        )
    columns = [
        *_features(config, frame),
        _time(config, frame),
        _key(config, frame),
        _label(config, frame),
        *_kpis(config),
        *(pl.col(name) for name in also),
    ]
    return frame.select(columns).sort("_time", maintain_order=True)


def features_only(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    """Type the feature columns of a frame that has no label."""
    absent = [name for name in config.features.names if name not in frame.columns]
    if absent:
        raise DataError("The table was refused.", f"No column {', '.join(absent)}.", f"It has: {_names(frame)}.")
    mistakes = dates_mistakes(config.features.dates, frame)
    if mistakes:
        raise DataError("The table was refused.", f"{'; '.join(mistakes)}.", "Correct the dates, or the configuration.")
    return frame.with_columns(_features(config, frame))


def number(name: str) -> pl.Expr:
    """A column as Float64; NaN and infinity become null."""
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value).alias(name)


def seconds(column: pl.Series) -> pl.Series:
    """Epoch seconds of ISO 8601 text, timestamps or numbers; null where a value is no time."""
    if column.dtype.is_numeric():
        value = column.cast(pl.Float64)
        return value.set(~(value.is_finite() & (value.abs() < LATEST)), None)
    if column.dtype == pl.String:
        iso = column.str.strip_chars().str.contains(_ISO)
        column = column.set(~iso, None).str.to_datetime(time_zone="UTC", strict=False)
    return column.cast(pl.Datetime("us")).dt.epoch("us") / 1e6


def _features(config: ModelConfig, frame: pl.DataFrame) -> list[pl.Expr]:
    numeric = [number(name) for name in config.features.numeric]
    dates = [pl.lit(moments(frame[name])).alias(name) for name in config.features.dates]
    return [*numeric, *dates, *(pl.col(name).cast(pl.String).alias(name) for name in config.features.categorical)]


def _time(config: ModelConfig, frame: pl.DataFrame) -> pl.Expr:
    if config.data.time is None:
        every = config.data.row_every.total_seconds()
        return (_row() * every + EPOCH).cast(pl.Float64).alias("_time")
    return pl.lit(seconds(frame[config.data.time])).alias("_time")


def _key(config: ModelConfig, frame: pl.DataFrame) -> pl.Expr:
    if config.data.key is None:
        return _row().cast(pl.String).alias("_key")
    column = frame[config.data.key]
    whole = column.dtype.is_float() and bool((column.drop_nulls() % 1 == 0).all())
    key = pl.col(config.data.key)
    return (key.cast(pl.Int64) if whole else key).cast(pl.String).alias("_key")


def _row() -> pl.Expr:
    return pl.int_range(pl.len())


def _label(config: ModelConfig, frame: pl.DataFrame) -> pl.Expr:
    if config.task == "multiclass":
        return pl.lit(class_numbers(config, frame[config.target])).alias("_label")
    if config.task == "regression" or config.data.positive is None:
        return number(config.target).alias("_label")
    column = pl.col(config.target)
    known = column.is_not_null() & ~column.is_nan() if frame[config.target].dtype.is_float() else column.is_not_null()
    wanted = _positive(config, frame[config.target])
    return pl.when(known).then((column == wanted).cast(pl.Float64)).alias("_label")


def _positive(config: ModelConfig, column: pl.Series) -> pl.Expr | None:
    """The value that counts as 1, in the type of the column; None if it cannot be one."""
    given = str(config.data.positive)
    if column.dtype == pl.Boolean:
        return {"true": pl.lit(True), "1": pl.lit(True), "false": pl.lit(False), "0": pl.lit(False)}.get(given.lower())
    if not column.dtype.is_numeric():
        return pl.lit(given)
    try:
        return pl.lit(float(given))
    except ValueError:
        return None


def _kpis(config: ModelConfig) -> list[pl.Expr]:
    return [number(column).alias(f"_kpi_{name}") for name, column in config.data.kpis.items()]


def _roles(config: ModelConfig) -> dict[str, str]:
    """What every named column is for."""
    roles = dict.fromkeys(config.features.names, "feature") | {config.target: "target"}
    roles |= {column: f"KPI {name}" for name, column in config.data.kpis.items()}
    return roles | {c: role for c, role in ((config.data.time, "time"), (config.data.key, "key")) if c is not None}


def _absent(config: ModelConfig, frame: pl.DataFrame) -> list[str]:
    absent = [f"{role} {column!r} is no column" for column, role in _roles(config).items() if column not in frame]
    reserved = [f"feature {name!r} has a reserved name" for name in config.features.names if name in RESERVED]
    return [*([*absent, f"the table has {_names(frame)}"] if absent else []), *reserved]


def _untypable(config: ModelConfig, frame: pl.DataFrame) -> list[str]:
    numeric = [*config.features.numeric, *config.data.kpis.values()]
    numeric += [config.target] if config.task == "regression" else []
    mistakes = [
        f"{name!r} holds {_holds(frame[name])}, expected numbers"
        for name in dict.fromkeys(numeric)
        if name in frame and not _is_number(frame[name])
    ]
    mistakes += [
        f"{name!r} holds {frame[name].dtype}, expected text, numbers or truth values"
        for name in config.features.categorical
        if name in frame and (frame[name].dtype.is_nested() or frame[name].dtype == pl.Binary)
    ]
    mistakes += dates_mistakes(config.features.dates, frame)
    if config.data.time is not None and config.data.time in frame:
        mistakes += _time_mistakes(frame[config.data.time])
    if config.task == "binary" and config.target in frame:
        mistakes += _binary_mistakes(config, frame[config.target])
    if config.task == "multiclass" and config.target in frame:
        mistakes += class_mistakes(config, frame[config.target])
    return mistakes


def _is_number(column: pl.Series) -> bool:
    return column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)


def _time_mistakes(column: pl.Series) -> list[str]:
    expected = "expected ISO 8601 timestamps or epoch seconds"
    empty = column.null_count()
    if empty:
        return [f"time {column.name!r} is empty in {empty} of {column.len()} rows"]
    if not (column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.String):
        return [f"time {column.name!r} holds {_holds(column)}, {expected}"]
    try:
        wrong = column.filter(seconds(column).is_null())
    except PolarsError:  # a duration or a time of day
        return [f"time {column.name!r} holds {_holds(column)}, {expected}"]
    return [f"time {column.name!r} holds {wrong[0]!r}, {expected}"] if wrong.len() else []


def _binary_mistakes(config: ModelConfig, column: pl.Series) -> list[str]:
    values = (column.fill_nan(None) if column.dtype.is_float() else column).drop_nulls().unique()
    shown = ", ".join(repr(value) for value in sorted(values.to_list(), key=str)[:5])
    if config.data.positive is None:
        fits = _is_number(column) and set(values.to_list()) <= {0, 1}
        return [] if fits else [f"target {config.target!r} holds {shown}, set data.positive"]
    wanted = _positive(config, column)
    known = values.is_empty() or (wanted is not None and pl.select((pl.lit(values) == wanted).any()).item())
    yaml = ' (YAML reads a bare yes or no as true or false: write "yes")' if _given_bare(config, column) else ""
    return [] if known else [f"target {config.target!r} never is {config.data.positive!r}, it holds {shown}{yaml}"]


def _given_bare(config: ModelConfig, column: pl.Series) -> bool:
    """Whether yes or no was probably written without quotes."""
    return config.data.positive in ("true", "false") and column.dtype == pl.String


def _holds(column: pl.Series) -> str:
    """Its type, and the first value that is no number where that says more."""
    if column.dtype != pl.String:
        return str(column.dtype)
    wrong = column.filter(column.is_not_null() & column.cast(pl.Float64, strict=False).is_null())
    return f"text, e.g. {wrong[0]!r}" if wrong.len() else "numbers as text"


def _names(frame: pl.DataFrame) -> str:
    return ", ".join(frame.columns[:30])
