"""A span of time as a condition over a column, whatever type holds the times."""

from datetime import UTC, datetime

import polars as pl


def within(column: str, kind: pl.DataType, since: float | None, until: float | None) -> pl.Expr | None:
    """
    Condition for rows from *since* to *until*.

    Args:
        column: Holds the times.
        kind: Its type; a time without a zone is UTC.
        since, until: Both included, in epoch seconds; None: no bound.

    Returns:
        None where there is no bound, or the type, such as text, is not compared in the order of time.

    Example:
        >>> rows = pl.DataFrame({"ts": [1.0, 5.0, 9.0]})
        >>> rows.filter(within("ts", pl.Float64(), 5.0, None))["ts"].to_list()
        [5.0, 9.0]
    """
    bounds = [_bound(kind, at) for at in (since, until)]
    earliest, latest = bounds
    conditions = [] if earliest is None else [pl.col(column) >= earliest]
    conditions += [] if latest is None else [pl.col(column) <= latest]
    return pl.all_horizontal(conditions) if len(conditions) == 2 else next(iter(conditions), None)


def _bound(kind: pl.DataType, at: float | None) -> pl.Expr | None:
    if at is None:
        return None
    if kind.is_numeric():
        return pl.lit(at)
    moment = datetime.fromtimestamp(at, UTC)
    if isinstance(kind, pl.Datetime):
        zone = kind.time_zone
        literal = pl.lit(moment)
        return literal.dt.convert_time_zone(zone) if zone else literal.dt.replace_time_zone(None)
    return pl.lit(moment.date()) if kind == pl.Date else None


def projected(
    frame: pl.LazyFrame, columns: list[str], time: str | None, since: float | None, until: float | None
) -> pl.LazyFrame:
    """
    Take these columns, and only rows of the span.

    Where a column is absent, one row with all columns there are: whoever refuses the table can name them.
    """
    schema = frame.collect_schema()
    if any(name not in schema for name in columns):
        return frame.head(1)
    condition = None if time is None else within(time, schema[time], since, until)
    return (frame if condition is None else frame.filter(condition)).select(columns)
