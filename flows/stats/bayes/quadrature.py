"""Integrals over beliefs by Gauss-Legendre quadrature on panels that follow their quantiles."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats.bayes.beliefs import Belief

Floats = NDArray[np.float64]
_NODES, _HALF_WEIGHTS = np.polynomial.legendre.leggauss(12)
_STEPS = np.linspace(-9.0, 9.0, 49)
_SCORES = np.linspace(-37.0, 37.0, 75)
_BETWEEN = 33


def nodes(*places: Floats) -> tuple[Floats, Floats]:
    """
    Nodes and weights of composite Gauss-Legendre quadrature.

    Args:
        places: Break points of the panels, in any order.
    """
    breaks = np.unique(np.concatenate(places))
    breaks = breaks[np.isfinite(breaks)]
    half, middle = np.diff(breaks) / 2, (breaks[1:] + breaks[:-1]) / 2
    return (middle[:, None] + half[:, None] * _NODES).ravel(), (half[:, None] * _HALF_WEIGHTS).ravel()


def breaks(beliefs: Sequence[Belief], shifts: Sequence[Callable[[Floats], Floats]] = ()) -> Floats:
    """
    Quantiles of all beliefs, and even steps between the outermost.

    Args:
        shifts: Maps each belief's scale to that of the integral; as it is by default.
    """
    found = [belief.at(_STEPS) for belief in beliefs]
    mapped = [shift(one) for shift, one in zip(shifts, found, strict=True)] if shifts else found
    every = np.concatenate(mapped)
    every = every[np.isfinite(every)]
    return np.concatenate([every, np.linspace(every.min(), every.max(), _BETWEEN)])


def expectation(belief: Belief, value: Callable[[Floats], Floats], places: Floats) -> float:
    """
    Mean of *value* under a belief.

    Integrates over the density, or over the quantiles where the density is infinite
    somewhere; normalised by the same nodes.

    Args:
        places: Break points; they should cover where belief and value are both large.
    """
    low, high = belief.support
    inside = places[(places >= low) & (places <= high)]
    if belief.singular:
        scores = special.ndtri(belief.cdf(inside))
        u, weights = nodes(_SCORES, scores[np.abs(scores) < _SCORES[-1]])
        x, density = belief.at(u), np.exp(-u * u / 2) * weights
    else:
        x, weights = nodes(inside)
        log_density = belief.log_pdf(x)
        density = np.exp(log_density - np.max(log_density)) * weights
    return float(density @ value(x) / density.sum())
