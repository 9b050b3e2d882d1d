"""
A Brownian motion watched at a few times: the chance of leaving between two bounds.

What is carried from look to look is not the sub-density of Jennison and Turnbull but its ratio to
the free density: the chance that the path did not leave before, given where it is now. That ratio
lies between 0 and 1, is smooth, is the same under every drift, and keeps its relative precision
where the density underflows.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

POINTS = 32
PANEL = 10.0
OPEN = 8.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
_ROOT_2PI = math.sqrt(2 * math.pi)
_SMALL = 60_000


class Region(NamedTuple):
    """
    Where the path goes on at one look.

    Attributes:
        time: Information so far.
        low, high: On the scale of z * sqrt(time); low may be -inf.
    """

    time: float
    low: float
    high: float


class Layer(NamedTuple):
    """
    A region with its quadrature.

    Attributes:
        time: Information so far.
        nodes: Points of the region.
        mass: Weights times the chance of not having left before, given the node.
    """

    time: float
    nodes: Floats
    mass: Floats


def enter(before: Layer | None, region: Region, next_time: float, *, reach: float = OPEN) -> Layer:
    """
    Go on to the next look.

    Args:
        before: Layer of the look before; None at the first.
        region: Of this look.
        next_time: Of the look after; decides how fine the quadrature must be.
        reach: Standard deviations below 0 at which the quadrature of an open region begins; what is
            below has no weight under drifts near 0.

    Source:
        Jennison and Turnbull (2000), Group Sequential Methods, ch. 19.2, with Gauss-Legendre
        panels in place of Simpson's rule and a bridge in place of the increment.
    """
    time = region.time
    low = min(region.high, 0.0) - reach * math.sqrt(time) if math.isinf(region.low) else region.low
    step = math.sqrt(time / next_time * (next_time - time))
    nodes, weights = _panels(low, region.high, step if before is None else min(step, _spread(before, time)))
    mass = weights if before is None else weights * _stayed(before, time, nodes)
    return Layer(time, nodes, mass)


def log_above(before: Layer | None, time: float, bound: float, drift: float = 0.0) -> float:
    """Log of the chance of having stayed so far and of being above *bound* at *time*."""
    return _log_tail(before, time, bound, drift)[0]


def log_below(before: Layer | None, time: float, bound: float, drift: float = 0.0) -> float:
    """Log of the chance of having stayed so far and of being below *bound*; not for open regions."""
    return _log_tail(mirrored(before), time, -bound, -drift)[0]


def bound_above(before: Layer | None, time: float, log_target: float, drift: float = 0.0) -> float:
    """
    Bound that is exceeded at *time*, but not left before, with the chance exp(log_target).

    Newton's method on the log of a log-concave chance, begun above the root, falls to it.
    """
    bound = drift * time - float(special.ndtri_exp(log_target)) * math.sqrt(time)
    if before is None:
        return bound
    for _ in range(60):
        value, slope = _log_tail(before, time, bound, drift)
        step = (value - log_target) / slope
        bound -= step
        if abs(step) < 1e-13 * math.sqrt(time) * max(1.0, abs(bound) / math.sqrt(time)):
            break
    return bound


def mirrored(layer: Layer | None) -> Layer | None:
    """Turn upside down."""
    return None if layer is None else layer._replace(nodes=-layer.nodes)


def _panels(low: float, high: float, scale: float) -> tuple[Floats, Floats]:
    count = max(1, math.ceil((high - low) / (PANEL * scale)))
    half = (high - low) / count / 2
    centres = low + half * (2 * np.arange(count) + 1)
    return (centres[:, None] + half * _NODES).ravel(), np.tile(half * _WEIGHTS, count)


def _stayed(before: Layer, time: float, points: Floats) -> Floats:
    """Chance of not having left before, given the point at *time*: a bridge from the layer before."""
    spread = _spread(before, time)
    centres = points * (before.time / time)
    if points.size * before.nodes.size <= _SMALL:
        return _bridge(before.nodes, before.mass, centres, spread)
    return np.concatenate([_near(before, centres[i : i + POINTS], spread) for i in range(0, centres.size, POINTS)])


def _spread(before: Layer, time: float) -> float:
    """Standard deviation of the point at the look before, given the one at *time*."""
    return math.sqrt(before.time / time * (time - before.time))


def _near(before: Layer, centres: Floats, spread: float) -> Floats:
    """As `_bridge`, from those nodes only that the centres can be reached from; both ascend."""
    ends = np.array([centres[0] - OPEN * spread, centres[-1] + OPEN * spread])
    first, last = np.searchsorted(before.nodes, ends)
    return _bridge(before.nodes[first:last], before.mass[first:last], centres, spread)


def _bridge(nodes: Floats, mass: Floats, centres: Floats, spread: float) -> Floats:
    scale = 1 / (spread * math.sqrt(2))
    kernel = np.subtract.outer(centres * scale, nodes * scale)
    np.multiply(kernel, -kernel, out=kernel)
    np.exp(kernel, out=kernel)
    reached: Floats = kernel @ mass
    return reached / (spread * _ROOT_2PI)


def _log_tail(before: Layer | None, time: float, bound: float, drift: float) -> tuple[float, float]:
    """Log of the chance of being above *bound*, and its derivative by the bound."""
    if before is None:
        z = (bound - drift * time) / math.sqrt(time)
        log_chance = float(special.log_ndtr(-z))
        return log_chance, -math.exp(-0.5 * z * z - log_chance) / (_ROOT_2PI * math.sqrt(time))
    gap = math.sqrt(time - before.time)
    steps = (bound - drift * (time - before.time) - before.nodes) / gap
    free = -0.5 * (before.nodes - drift * before.time) ** 2 / before.time
    beyond = special.log_ndtr(-steps)
    terms = free + beyond
    top = float(np.max(terms))
    weighted = before.mass * np.exp(terms - top)
    total = float(np.sum(weighted))
    hazard = np.exp(-0.5 * steps * steps - beyond) / (_ROOT_2PI * gap)
    log_chance = top + _log(total) - math.log(_ROOT_2PI * math.sqrt(before.time))
    return log_chance, -float(weighted @ hazard) / total if total > 0 else -math.inf


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
