"""
How well the reference's principal components give back a row.

The error is the mean squared distance between scores and their projection, as a share of the
variance. It is linear in the second moments, so it is known from them alone, missing values
and all. What it is without drift is measured on rows that the components were not made from.

Source:
    Reconstruction error as in NannyML's multivariate drift (principal components that hold 65 %
    of the variance), judged against hold-out folds in place of chunks of the rows fitted.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from flows.detection.joint.encoding import Floats
from flows.detection.joint.scores import Scores
from registry.records.base import Record

FOLDS = 20


class Expected(Record, frozen=True, kw_only=True):
    """
    Error on held-out rows of the reference.

    Attributes:
        error: Mean over the folds, as a share of the variance.
        error_se: Its standard error.
        components: How many are kept.
    """

    error: float
    error_se: float
    components: int


class Rise(Record, frozen=True, kw_only=True):
    """
    Error of a window beside that of the reference.

    Attributes:
        increase: Relative; negative if it fell.
        p_value: One-sided.
    """

    increase: float
    p_value: float


def expected(side: Scores, variance: float, rng: np.random.Generator) -> Expected | None:
    """
    Measure the error on rows that the components were not made from.

    None with fewer than two scores, or fewer rows than folds.

    Args:
        side: Scores of the reference.
        variance: Share of the variance that the components hold.
        rng: Deals the rows into folds.
    """
    size = side.values.shape[1]
    if size < 2 or side.values.shape[0] < FOLDS:
        return None
    folds = rng.permutation(np.arange(side.values.shape[0]) % FOLDS)
    sums, mass = _moments(side, folds)
    whole = sums.sum(axis=0) / np.maximum(mass.sum(axis=0), 1e-12)
    kept = _count(whole, variance)
    if kept == size:
        return None
    errors = np.array([_held_out(sums, mass, fold, kept) for fold in range(FOLDS)])
    return Expected(error=float(errors.mean()), error_se=float(errors.std(ddof=1)) / math.sqrt(FOLDS), components=kept)


def rise(reference: Floats, like: Expected, now: Scores, rng: np.random.Generator) -> Rise:
    """
    Compare a window's error with what is expected of it.

    Args:
        reference: Correlations of the reference's scores, shape (s, s).
        like: Of the reference.
        now: The window's scores.
        rng: Deals the window's rows into folds.
    """
    basis = _basis(reference, like.components)
    folds = rng.permutation(np.arange(now.values.shape[0]) % FOLDS)
    sums, mass = _moments(now, folds)
    errors = np.array([_error(_share(sums[fold], mass[fold]), basis) for fold in range(FOLDS)])
    error, se = float(errors.mean()), float(errors.std(ddof=1)) / math.sqrt(FOLDS)
    both = like.error_se**2 + se**2
    if both <= 0 or like.error <= 0:
        return Rise(increase=0.0, p_value=1.0)
    freedom = both**2 * (FOLDS - 1) / (like.error_se**4 + se**4)
    z = (error - like.error) / math.sqrt(both)
    return Rise(increase=error / like.error - 1, p_value=float(stdtr(freedom, -z)))


def _moments(side: Scores, folds: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Sums of products of every pair by fold, and the weight behind them; shapes (folds, s, s)."""
    order = np.argsort(folds, kind="stable")
    parts = np.array_split(order, np.flatnonzero(np.diff(folds[order])) + 1)
    x, seen, w = side.values, side.seen, side.weights[:, None]
    sums = np.stack([(x[part] * w[part]).T @ x[part] for part in parts])
    mass = np.stack([(seen[part] * w[part]).T @ seen[part] for part in parts])
    return sums, mass


def _held_out(sums: Floats, mass: Floats, fold: int, kept: int) -> float:
    others = _share(sums.sum(axis=0) - sums[fold], mass.sum(axis=0) - mass[fold])
    return _error(_share(sums[fold], mass[fold]), _basis(others, kept))


def _share(sums: Floats, mass: Floats) -> Floats:
    return sums / np.maximum(mass, 1e-12)


def _basis(moments: Floats, kept: int) -> Floats:
    return np.asarray(np.linalg.eigh(moments)[1][:, -kept:])


def _error(moments: Floats, basis: Floats) -> float:
    total = float(np.trace(moments))
    return (total - float(np.sum(basis * (moments @ basis)))) / len(moments)


def _count(moments: Floats, variance: float) -> int:
    held = np.cumsum(np.maximum(np.linalg.eigvalsh(moments)[::-1], 0))
    return int(np.searchsorted(held, variance * held[-1])) + 1
