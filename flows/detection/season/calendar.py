"""Moments become columns of a design: level, hour of the day, weekday, waves of the year."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.detection.season.profile import SeasonName

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HOUR, DAY = 3600, 86_400
YEAR = 365.2425 * DAY
_THURSDAY = 3  # 1 January 1970; Monday is 0


def seconds(times: pl.Series) -> Ints:
    """
    Seconds since 1970, in UTC, shape (n,).

    Args:
        times: Times, those without a zone taken as UTC; or numbers of seconds; none null.
    """
    if times.dtype.is_numeric():
        numbers: Ints = np.floor(times.to_numpy()).astype(np.int64)
        return numbers
    whole: Ints = times.cast(pl.Datetime("us")).to_physical().to_numpy() // 1_000_000
    return whole


def design(moments: Ints, seasons: tuple[SeasonName, ...], waves: int) -> Floats:
    """
    Columns that a share may follow.

    Args:
        moments: Seconds since 1970, shape (n,).
        seasons: Those to tell apart.
        waves: Harmonics of the year.

    Returns:
        Shape (n, p): 1; 23 hours but the first; 6 weekdays but Monday; a cosine and a sine of each wave.
    """
    columns = [np.ones((moments.size, 1))]
    if "hour" in seasons:
        columns.append(_one_of(moments % DAY // HOUR, 24))
    if "weekday" in seasons:
        columns.append(_one_of((moments // DAY + _THURSDAY) % 7, 7))
    if "year" in seasons:
        angle = 2 * np.pi * (moments[:, None] / YEAR) * np.arange(1, waves + 1)
        columns += [np.cos(angle), np.sin(angle)]
    return np.hstack(columns)


def _one_of(cell: Ints, count: int) -> Floats:
    marks: Floats = (cell[:, None] == np.arange(1, count)).astype(np.float64)
    return marks
