"""The rows just before a window, as its reference."""

from datetime import timedelta

import polars as pl


def rows_before(frame: pl.DataFrame, window: pl.DataFrame, period: timedelta) -> pl.DataFrame:
    """
    Take the rows of the period that ends where a window begins.

    Args:
        frame: Rows with `_time`, times or seconds, in any order.
        window: Rows with `_time` that are compared with them.
        period: How far back.

    Returns:
        Rows not older than the period and older than every row of the window; none if the
        window has no time.
    """
    start = window["_time"].min() if "_time" in window.columns else None
    if start is None or "_time" not in frame.columns:
        return frame.clear()
    back = pl.lit(period.total_seconds() if window["_time"].dtype.is_numeric() else period)
    first = pl.lit(start)
    return frame.filter((pl.col("_time") >= first - back) & (pl.col("_time") < first))
