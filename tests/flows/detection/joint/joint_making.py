"""Tables in which only the dependence between columns differs."""

import numpy as np
import polars as pl

COLUMNS = 10


def table(seed: int, rows: int = 2000, correlation: float = 0.8, kind: str = "normal") -> pl.DataFrame:
    """Ten columns; x0 and x1 correlated as wished, x2 and x3 always."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS))
    x[:, 1] = correlation * x[:, 0] + np.sqrt(1 - correlation**2) * x[:, 1]
    x[:, 3] = 0.5 * x[:, 2] + np.sqrt(0.75) * x[:, 3]
    if kind == "heavy":
        x /= np.sqrt(rng.chisquare(3, size=(rows, 1)) / 3)
    frame = pl.DataFrame({f"x{place}": x[:, place] for place in range(COLUMNS)})
    return _mixed(frame, x, rng) if kind == "mixed" else frame


def _mixed(frame: pl.DataFrame, x: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Levels, ties and missing values, all of which depend on other columns."""
    letters = np.array(list("abcdefghij"))
    gaps = np.where((rng.random(frame.height) < 0.3) & (x[:, 5] > 0), np.nan, x[:, 6])
    return frame.with_columns(
        x5=pl.Series(np.round(2 * x[:, 5])),
        x6=pl.Series(gaps).fill_nan(None),
        x7=pl.Series(np.where(rng.random(frame.height) < 0.2, np.nan, x[:, 7])),
        x8=pl.Series(letters[np.clip((1.5 * x[:, 8] + 0.7 * x[:, 0] + 5).astype(int), 0, 9)]),
        x9=pl.Series(np.where(x[:, 9] + x[:, 1] > 0.5, "yes", "no")),
    )


def moved(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column drifts by itself: moved, stretched, bent, thinned out; who goes with whom stays."""
    rng = np.random.default_rng(1)
    thinned = pl.Series(rng.random(frame.height) < 0.3)
    return frame.with_columns(
        x0=(2 * pl.col("x0")).exp() + 3,
        x1=pl.col("x1") + 1,
        x2=10 * pl.col("x2"),
        x4=pl.when(thinned).then(None).otherwise(pl.col("x4")),
    )


def reweighted(frame: pl.DataFrame) -> pl.DataFrame:
    """Levels of x9 become more and less frequent; all else given the level stays."""
    keep = np.random.default_rng(2).random(frame.height) < np.where(frame["x9"] == "yes", 0.2, 0.9)
    return frame.filter(pl.Series(keep))
