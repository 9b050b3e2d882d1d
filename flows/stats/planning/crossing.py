"""When a walk leaves a widening corridor: by recursion, not by simulation."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

_STEPS = 192  # per doubling of time; a look at every half percent
_FINE = 7.0  # grid points per standard deviation of a step
_REACH = 6.5  # standard deviations of a step that its kernel covers
_LEFT = 1e-5  # probability of still being inside that may be forgotten


class Passage(NamedTuple):
    """
    Distribution of the time at which the upper bound is crossed.

    Attributes:
        times: Shape (k,), increasing.
        found: Shape (k,), probability of having crossed the upper bound up to then.
        ended: Shape (k,), probability of having crossed either bound up to then.
    """

    times: Floats
    found: Floats
    ended: Floats


def mixture_bound(n: ArrayLike, scale: float, alpha: float) -> Floats:
    """
    Where the normal mixture's e-value reaches 1/alpha, for a sum of variance 1 per row.

    Args:
        n: Rows.
        scale: Rows at which the mixture's prior weighs as much as the data.
        alpha: Error rate over all looks together.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409, eq. 20; as Waudby-Smith et al.,
        arXiv 2103.06476, eq. 9, with scale = 1 / rho^2.

    Example:
        >>> f"{mixture_bound(100.0, 100.0, 0.05):.3f}"
        '36.564'
    """
    rows = np.asarray(n, dtype=np.float64)
    return np.asarray(np.sqrt((rows + scale) * (np.log1p(rows / scale) - 2 * math.log(alpha))))


def passage(drift: float, scale: float, alpha: float, *, first: float, last: float) -> Passage:
    """
    A walk with drift, looked at all the time, between the bounds of a normal mixture.

    Args:
        drift: Per row, in standard deviations of one row; above 0.
        scale, alpha: As `mixture_bound`.
        first: Rows at the first look.
        last: Rows after which it is given up.

    Source:
        Recursive integration as Armitage, McPherson, Rowe (1969), J. R. Stat. Soc. A
        132:235-244, on a grid that grows with the walk.
    """
    time, bound, root = float(first), float(mixture_bound(first, scale, alpha)), math.sqrt(first)
    up, down = (float(special.ndtr((sign * drift * first - bound) / root)) for sign in (1, -1))
    times, found, ended = [time], [up], [up + down]
    h = root / math.sqrt(_STEPS) / _FINE
    grid = _grid(bound + h, h)
    mass = _inside(grid, h, bound) * np.diff(special.ndtr((_edges(grid, h) - drift * first) / root))
    while time < last and ended[-1] < 1 - _LEFT:
        step, h_new = time / _STEPS, math.sqrt(time / _STEPS) / _FINE
        outer = float(mixture_bound(2 * time, scale, alpha)) + _REACH * math.sqrt(step) + 2 * h_new
        new = _grid(outer, h_new)
        mass, grid, h = _regrid(grid, h, mass, new, h_new), new, h_new
        kernel = _kernel(drift * step, math.sqrt(step), h)
        bounds = mixture_bound(time + step * np.arange(1, _STEPS + 1), scale, alpha)
        for k in range(_STEPS):
            mass = np.convolve(mass, kernel, mode="same")
            mass = _absorb(grid, h, mass, float(bounds[k]), found, ended)
            times.append(time + step * (k + 1))
        time *= 2
    return Passage(np.array(times), np.array(found), np.array(ended))


def _grid(outer: float, h: float) -> Floats:
    half = math.ceil(outer / h)
    return np.asarray(np.arange(-half, half + 1) * h, dtype=np.float64)


def _edges(grid: Floats, h: float) -> Floats:
    return np.append(grid - h / 2, grid[-1] + h / 2)


def _regrid(grid: Floats, h: float, mass: Floats, new: Floats, h_new: float) -> Floats:
    """Keep the mass: interpolate its cumulative sum."""
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])
    return np.diff(np.interp(_edges(new, h_new), _edges(grid, h), cumulative))


def _kernel(mean: float, spread: float, h: float) -> Floats:
    half = math.ceil((_REACH * spread + abs(mean)) / h)
    edges = (np.arange(-half, half + 2) - 0.5) * h
    return np.diff(special.ndtr((edges - mean) / spread))


def _inside(grid: Floats, h: float, bound: float) -> Floats:
    """Part of each cell that the bounds leave."""
    return np.asarray(np.clip((bound - np.abs(grid)) / h + 0.5, 0.0, 1.0))


def _absorb(grid: Floats, h: float, mass: Floats, bound: float, found: list[float], ended: list[float]) -> Floats:
    """Take what has left the corridor; cells that the bound cuts are shared out."""
    kept = _inside(grid, h, bound) * mass
    gone = mass - kept
    found.append(found[-1] + float(gone[grid > 0].sum()))
    ended.append(ended[-1] + float(gone.sum()))
    return np.asarray(kept)
