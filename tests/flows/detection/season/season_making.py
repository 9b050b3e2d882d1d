"""Days of rows that know a weekday, an hour and a time of the year."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from flows.config.load import parse_config

START = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday


def make_config(names=("x0", "x1"), categorical=(), **season):
    features = {"numeric": list(names), "categorical": list(categorical)}
    return parse_config(
        {
            "model": "m",
            "task": "binary",
            "target": "y",
            "features": features,
            "detection": {"min_rows": 100, "season": season},
        },
        "test",
    )


def calm(_moment):
    return 0.0


def weekly(moment):
    return 0.5 * (moment // 86_400 % 7 >= 5)


def hourly(moment):
    return 0.8 * np.sin(2 * np.pi * moment / 86_400)


def yearly(moment):
    return 0.7 * np.sin(2 * np.pi * moment / (365.2425 * 86_400))


def together(*seasons):
    return lambda moment: sum(season(moment) for season in seasons)


def days(dice, first, number, *, rows=300, columns=2, season=calm, shift=0.0, shifted=None, effect=0.0):
    """
    Rows of some days, the first of them *first* days after the start.

    Args:
        shift: By which the first *shifted* columns (all if None) are moved.
        effect: Standard deviation of what moves all rows of a day together.
    """
    moment = np.sort(dice.integers(first * 86_400, (first + number) * 86_400, rows * number))
    moves = dice.normal(0, effect, (number, columns)) if effect else np.zeros((number, columns))
    drift = np.where(np.arange(columns) < (columns if shifted is None else shifted), shift, 0.0)
    values = dice.normal(size=(moment.size, columns)) + np.asarray(season(moment)).reshape(-1, 1)
    values += moves[moment // 86_400 - first] + drift
    times = [START + timedelta(seconds=int(second)) for second in moment]
    return pl.DataFrame({f"x{i}": values[:, i] for i in range(columns)}).with_columns(_time=pl.Series(times))
