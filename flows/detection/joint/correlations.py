"""
Whether two columns go together otherwise than they did.

Correlations of scores, compared after Fisher's transformation. Their variance is that of the
moments seen (delta method), since 1/n holds for normal pairs only: heavy tails that come in
both columns at once would otherwise be taken for drift.

Sources:
    Fisher (1921). Variance of a correlation without normality: Steiger and Hakstian (1982),
    eq. 1.2; never taken below that of normal pairs. Benjamini and Hochberg (1995) over all pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from flows.detection.joint.encoding import Floats, Ints
from flows.detection.joint.scores import Scores
from flows.stats.multiplicity import adjusted
from registry.records.base import Record

_LARGEST = 0.99  # Fisher's transformation of more is noise
_LEAST_VARIANCE, _MOST_VARIANCE = 1.0, 60.0  # 1 is that of normal pairs
LEAST_ROWS = 50.0
"""Rows that must speak for a pair on either side, and of a level within them."""
SHOWN = 5


class PairChange(Record, frozen=True, kw_only=True):
    """
    Two columns.

    Attributes:
        first, second: Columns; of a category with the level, as "colour = red".
        was, now: Correlation of their scores.
        adjusted: p-value after correction over all pairs.
    """

    first: str
    second: str
    columns: tuple[str, str]
    was: float
    now: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Correlations:
    """
    All pairs of one side.

    Attributes:
        values: Shape (s, s).
        variances: Shape (s, s), of the Fisher-transformed correlation times the rows behind it.
        rows: Shape (s, s), effective rows behind each pair.
    """

    values: Floats
    variances: Floats
    rows: Floats


def correlations(side: Scores) -> Correlations:
    """Correlate every pair of scores over the rows that have both."""
    values, scale, mass = _correlated(side)
    spread = _spread(side, values, scale)
    held = (1 - np.clip(values, -_LARGEST, _LARGEST) ** 2) ** 2
    return Correlations(values, np.clip(spread / held, _LEAST_VARIANCE, _MOST_VARIANCE), side.effective * mass)


def _correlated(side: Scores) -> tuple[Floats, Floats, Floats]:
    """Correlations; standard deviations of each score where the other is seen; share of rows that have both."""
    w = (side.weights / side.weights.sum())[:, None]
    mass = _mass(side.seen, w)
    mean, square = (_where_seen(side.values**k * w, side.seen, mass) for k in (1, 2))
    sd = np.sqrt(np.maximum(square - mean**2, 1e-12))
    values = ((side.values * w).T @ side.values / mass - mean * mean.T) / (sd * sd.T)
    return np.clip(values, -1, 1), sd, mass


def _spread(side: Scores, values: Floats, sd: Floats) -> Floats:
    """
    Variance of the correlations, times the effective rows: moments of the fourth order.

    Weights count squared, as they do in the variance of a weighted mean.
    """
    x, w = side.values, (side.weights**2 / np.sum(side.weights**2))[:, None]
    mass = _mass(side.seen, w)
    square = x * x
    both = (square * w).T @ square / mass / (sd * sd.T) ** 2
    odd = (square * x * w).T @ x / mass / (sd**3 * sd.T)
    fourth = _where_seen(square * square * w, side.seen, mass) / sd**4
    return np.asarray(both - values * (odd + odd.T) + values**2 / 4 * (fourth + fourth.T + 2 * both))


def _mass(seen: Floats, w: Floats) -> Floats:
    if seen.all():
        return np.ones((seen.shape[1],) * 2)
    return np.maximum(seen.T @ (seen * w), 1e-12)


def _where_seen(powers: Floats, seen: Floats, mass: Floats) -> Floats:
    """Mean of each score over the rows where another one is seen; shape (s, s)."""
    if seen.all():
        return np.repeat(powers.sum(axis=0)[:, None], mass.shape[1], axis=1)
    return np.asarray(powers.T @ seen / mass)


def changes(
    was: Correlations, now: Correlations, names: Sequence[tuple[str, str]], usable: Sequence[bool]
) -> list[PairChange]:
    """
    Test every pair of different columns.

    Args:
        was: Of the reference.
        now: Of the window, the same scores.
        names: Column and level of every score.
        usable: Whether a score may be tested.

    Returns:
        All tested pairs, the surest first.
    """
    at, to = np.triu_indices(len(names), 1)
    owner = np.array([column for column, _ in names])
    good = (owner[at] != owner[to]) & np.asarray(usable, dtype=bool)[at] & np.asarray(usable, dtype=bool)[to]
    good &= np.minimum(was.rows, now.rows)[at, to] >= LEAST_ROWS
    at, to = at[good], to[good]
    if not at.size:
        return []
    p = adjusted(_log_p(was, now, at, to).tolist(), method="bh")
    order = np.lexsort((-np.abs(was.values - now.values)[at, to], p))
    return [_change(was, now, names, (int(at[i]), int(to[i])), p[i]) for i in order]


def _log_p(was: Correlations, now: Correlations, at: Ints, to: Ints) -> Floats:
    gap = _fisher(was.values[at, to]) - _fisher(now.values[at, to])
    variance = was.variances[at, to] / was.rows[at, to] + now.variances[at, to] / now.rows[at, to]
    return np.asarray(np.minimum(0.0, math.log(2) + log_ndtr(-np.abs(gap) / np.sqrt(variance))))


def _fisher(values: Floats) -> Floats:
    return np.asarray(np.arctanh(np.clip(values, -_LARGEST, _LARGEST)))


def _change(
    was: Correlations, now: Correlations, names: Sequence[tuple[str, str]], pair: tuple[int, int], log_p: float
) -> PairChange:
    (first, second), place = (names[pair[0]], names[pair[1]]), pair
    return PairChange(
        first=_named(first),
        second=_named(second),
        columns=(first[0], second[0]),
        was=float(was.values[place]),
        now=float(now.values[place]),
        adjusted=math.exp(log_p),
    )


def _named(name: tuple[str, str]) -> str:
    column, level = name
    return f"{column} = {level}" if level else column
