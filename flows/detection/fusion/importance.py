"""How much each feature has to say in a champion's predictions."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

_ROWS = 2000

Score = Callable[[pl.DataFrame], NDArray[np.float64]]


def importance(score: Score, features: pl.DataFrame, *, seed: int = 0) -> dict[str, float]:
    """
    Share of each feature in the scores, by permutation: labels are not needed.

    One column after the other is dealt anew among the rows; its weight is the mean absolute
    change of the score.

    Args:
        score: Of a frame with the same columns, shape (n,); or (n, k), of several classes.
        features: Rows to permute; at most 2,000 are used, evenly spread.
        seed: Of the dealing.

    Returns:
        Shares that add up to 1; all 0 where no column changes the score, or none of it is finite.

    Source:
        Fisher, Rudin, Dominici (2019), JMLR 20:177, with the change of the prediction in place of the loss.
    """
    rows = features.gather_every(max(features.height // _ROWS, 1)).head(_ROWS)
    plain, dice = score(rows), np.random.default_rng(seed)
    order = pl.Series(dice.permutation(rows.height).astype(np.uint32))
    moved = {name: _change(plain, score(rows.with_columns(rows[name].gather(order)))) for name in rows.columns}
    return shares(moved)


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Absolute weights, such as coefficients or gains, as shares that add up to 1; infinite ones weigh nothing."""
    sizes = {name: abs(weight) if np.isfinite(weight) else 0.0 for name, weight in weights.items()}
    top = max(sizes.values(), default=0.0)
    if top == 0:
        return dict.fromkeys(sizes, 0.0)
    total = sum(size / top for size in sizes.values())  # by the largest first, so that the sum cannot overflow
    return {name: size / top / total for name, size in sizes.items()}


def _change(plain: NDArray[np.float64], moved: NDArray[np.float64]) -> float:
    gaps = np.abs(moved - plain)
    known = gaps[np.isfinite(gaps)]
    return float(known.mean()) if known.size else 0.0
