"""
Rows as scores whose distribution is the same on both sides, so that only dependence can differ.

A number becomes the normal score of its rank within its own side (van der Waerden): any
monotone change of a column leaves it as it is. Levels cannot be moved onto each other, so the
window's rows are weighted until every level has the share that it has in the reference
(raking: Deming and Stephan 1940).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from flows.detection.joint.encoding import COMMON, MISSING, Encoded, Floats, JointColumn

_ROUNDS = 25
_MOST = 20.0  # a single row may not speak for more than so many


@dataclass(frozen=True, slots=True)
class Scores:
    """
    One side.

    Attributes:
        values: Shape (n, s); mean 0 and variance 1 over the rows seen, 0 where missing.
        seen: Shape (n, s), 1.0 where there is a value.
        weights: Shape (n,), mean 1.
    """

    values: Floats
    seen: Floats
    weights: Floats

    @property
    def effective(self) -> float:
        """Rows that would say as much without weights (Kish 1965)."""
        return float(self.weights.sum() ** 2 / np.sum(self.weights**2))


def score_names(columns: Sequence[JointColumn]) -> list[tuple[str, str]]:
    """Name every score: its column, and the level or ""."""
    return [(one.name, level) for one in columns for level in _scored(one)]


def raked(now: Encoded, columns: Sequence[JointColumn]) -> Floats:
    """
    Weights of a window's rows, mean 1, with which its levels are as frequent as in the reference.

    Rows of a level that the reference has not get weight 0.
    """
    weights = np.ones(now.rows)
    categories = [one for one in columns if one.levels is not None]
    for _ in range(_ROUNDS if categories else 0):
        before = weights
        for one in categories:
            weights = _towards(weights, now, one)
        if np.abs(weights - before).max() < 1e-4:
            break
    clipped = np.minimum(weights, _MOST)
    total = clipped.sum()
    return clipped * (now.rows / total) if total > 0 else np.ones(now.rows)


def scores(side: Encoded, columns: Sequence[JointColumn], weights: Floats) -> Scores:
    """Score every column of one side."""
    made = [_score(side, one, level, weights) for one in columns for level in _scored(one)]
    if not made:
        return Scores(np.zeros((side.rows, 0)), np.zeros((side.rows, 0)), weights)
    values = np.column_stack(made)
    seen = np.isfinite(values)
    return Scores(np.where(seen, values, 0.0), seen.astype(np.float64), weights)


def ranks(values: Floats, weights: Floats, rng: np.random.Generator | None = None) -> Floats:
    """
    Weighted ranks as shares strictly between 0 and 1; NaN stays NaN.

    Args:
        values: Shape (n,).
        weights: Shape (n,), not negative.
        rng: Ties are broken by it; without, they get the rank in their middle.
    """
    out = np.full(values.size, np.nan)
    there = np.flatnonzero(np.isfinite(values))
    known, mass = values[there], weights[there]
    order = np.argsort(known) if rng is None else np.lexsort((rng.random(known.size), known))
    total = mass.sum()
    if total <= 0:
        return out
    upto = np.cumsum(mass[order])
    below = upto - mass[order]
    if rng is None:
        below, upto = _tied(known[order], below, upto)
    out[there[order]] = np.clip((below + upto) / (2 * total), 0.5 / values.size, 1 - 0.5 / values.size)
    return out


def _tied(ordered: Floats, below: Floats, upto: Floats) -> tuple[Floats, Floats]:
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    if starts.size == ordered.size:
        return below, upto
    ends = np.append(starts[1:], ordered.size) - 1
    sizes = ends - starts + 1
    return np.repeat(below[starts], sizes), np.repeat(upto[ends], sizes)


def _scored(column: JointColumn) -> tuple[str, ...]:
    """Levels with a score of their own; one can be told from the others if there is no rest."""
    if column.levels is None:
        return ("",)
    closed = column.shares[-1] < COMMON and len(column.levels) > 1
    return column.levels[1:] if closed else column.levels


def _score(side: Encoded, column: JointColumn, level: str, weights: Floats) -> Floats:
    if column.levels is None:
        return _standard(ndtri(ranks(side.numbers[column.name], weights)), weights)
    codes = side.codes[column.name]
    given = np.where(codes == MISSING, np.nan, (codes == column.levels.index(level)).astype(np.float64))
    return _standard(given, weights)


def _standard(values: Floats, weights: Floats) -> Floats:
    there = np.isfinite(values)
    known, mass = values[there], weights[there]
    total = mass.sum()
    if total <= 0:
        return np.full(values.size, np.nan)
    mean = float(known @ mass) / total
    sd = float(np.sqrt(((known - mean) ** 2) @ mass / total))
    return np.asarray((values - mean) / sd) if sd > 0 else np.full(values.size, np.nan)


def _towards(weights: Floats, now: Encoded, column: JointColumn) -> Floats:
    codes = now.codes[column.name]
    there = codes != MISSING
    mass = np.bincount(codes[there], weights[there], minlength=len(column.shares))
    wanted = np.asarray(column.shares) * mass.sum()
    factors = np.divide(wanted, mass, out=np.ones_like(wanted), where=mass > 0)
    return np.where(there, weights * factors[codes], weights)
