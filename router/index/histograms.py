"""Histograms in bins that are the same in every process, and how far two of them are apart."""

import math

import numpy as np
from numpy.typing import NDArray

from registry.records.live import Histogram
from registry.records.version import Task

Floats = NDArray[np.float64]
_PROBABILITY_BINS = 20
_PER_DOUBLING, _LATENCY_PER_DOUBLING = 8, 4
_LEAST, _MOST = -32, 64
"""Powers of two between which values are told apart; what is nearer to 0 counts as 0."""
_SHARE_FLOOR = 1e-4


def score_histogram(scores: Floats, task: Task) -> Histogram:
    """Scores without nan: bins of 0.05 for probabilities, else of 2**(1/8) on either side of 0."""
    if task != "regression":
        place = np.clip(np.floor(np.clip(scores, 0, 1) * _PROBABILITY_BINS), 0, _PROBABILITY_BINS - 1).astype(np.int64)
        counts = np.bincount(place, minlength=_PROBABILITY_BINS) if len(place) else np.zeros(0, np.int64)
        return {repr(int(b) / _PROBABILITY_BINS): int(counts[b]) for b in np.flatnonzero(counts)}
    return _by_doublings(scores, _PER_DOUBLING)


def latency_histogram(latencies: Floats) -> Histogram:
    """Milliseconds in bins of 2**(1/4)."""
    return _by_doublings(latencies, _LATENCY_PER_DOUBLING)


def psi(expected: Histogram, seen: Histogram) -> float | None:
    """
    Population stability index of *seen* against *expected*; an empty bin counts as a share of 0.0001.

    Source:
        Siddiqi (2006), Credit Risk Scorecards: sum of (q - p) ln(q / p) over the bins.
    """
    if not expected or not seen:
        return None
    p, q = (np.maximum(shares, _SHARE_FLOOR) for shares in _shares(expected, seen))
    return float(((q - p) * np.log(q / p)).sum())


def ks(one: Histogram, other: Histogram) -> float | None:
    """Largest distance of the cumulated shares; at most that of the values themselves."""
    if not one or not other:
        return None
    p, q = _shares(one, other)
    return float(np.abs(np.cumsum(p) - np.cumsum(q)).max())


def _shares(one: Histogram, other: Histogram) -> tuple[Floats, Floats]:
    bins = sorted(one.keys() | other.keys(), key=float)
    p, q = (np.array([counts.get(name, 0) for name in bins], np.float64) for counts in (one, other))
    return p / p.sum(), q / q.sum()


def _by_doublings(values: Floats, per_doubling: int) -> Histogram:
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log2(np.abs(values)) * per_doubling)
    # Step 0 stands for what is small; bins of either sign lie behind it.
    steps = np.clip(exponent - _LEAST * per_doubling + 1, 0, (_MOST - _LEAST) * per_doubling) * np.sign(values)
    found, counts = np.unique(steps.astype(np.int64), return_counts=True)
    return {_bound(step, per_doubling): int(n) for step, n in zip(found.tolist(), counts.tolist(), strict=True)}


def _bound(step: int, per_doubling: int) -> str:
    """Least value of a bin; below 0 that is the one further from 0."""
    if step == 0:
        return "0.0"
    power = abs(step) - 1 + _LEAST * per_doubling + (step < 0)
    return repr(math.copysign(float(f"{2.0 ** (power / per_doubling):.6g}"), step))
