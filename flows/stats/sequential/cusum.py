"""
CUSUM charts: has an error rate, or a count per interval, risen since some unknown moment?

A chart never ends with "all is well"; it alarms soon after a rise, and falsely about once in as
many observations as its run length says.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from flows.stats.checks import above_zero, counts, finite, number, share

_MESH = 100
_NODES = 60
_LONGEST = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """
    An upper CUSUM: S = max(0, S + x - reference), alarm from the limit on.

    Attributes:
        reference: What one observation is expected to bring between good and bad.
        limit: Alarm when the sum reaches it.
    """

    reference: float
    limit: float

    def path(self, values: ArrayLike, start: float = 0.0) -> NDArray[np.float64]:
        """
        The sums over time, not reset at alarms.

        Args:
            values: Shape (n,): 0 or 1 for errors, or counts.
            start: The sum before the first.

        Example:
            >>> Chart(reference=0.25, limit=2.0).path([1, 0, 1, 1]).tolist()
            [0.75, 0.5, 1.25, 2.0]
        """
        steps = finite("values", values) - self.reference
        total = start + np.cumsum(steps)
        return np.asarray(total - np.minimum(0.0, np.minimum.accumulate(total)), dtype=np.float64)

    def update(self, total: float, value: float) -> float:
        """The next sum, in constant time."""
        return max(0.0, total + value - self.reference)

    def first_alarm(self, values: ArrayLike) -> int | None:
        """Place of the first alarm, counted from 0; None if there is none."""
        over = np.flatnonzero(self.path(values) >= self.limit - 1e-9)
        return int(over[0]) if over.size else None


def bernoulli_reference(good: float, bad: float) -> float:
    """
    Reference value for errors 0 and 1.

    Args:
        good, bad: Error rates between which it shall tell, 0 < good < bad < 1.

    Source:
        Reynolds, Stoumbos (1999), J. Qual. Technol. 31:87-108 (r1 / r2).

    Example:
        >>> f"{bernoulli_reference(0.01, 0.02):.6f}"
        '0.014435'
    """
    _rising(share("good", good), share("bad", bad))
    fine = math.log1p(-good) - math.log1p(-bad)
    return fine / (math.log(bad) - math.log(good) + fine)


def poisson_reference(good: float, bad: float) -> float:
    """
    Reference value for counts per interval.

    Args:
        good, bad: Mean counts between which it shall tell, 0 < good < bad.

    Source:
        Lucas (1985), Technometrics 27:129-144.

    Example:
        >>> f"{poisson_reference(4.0, 7.0):.5f}"
        '5.36082'
    """
    _rising(good, bad)
    return (bad - good) / math.log(bad / good)


def bernoulli_run_length(chart: Chart, rate: float, *, mesh: int = _MESH) -> float:
    """
    Mean number of requests until an alarm, starting at 0.

    Args:
        chart: Reference and limit, rounded to the mesh.
        rate: True error rate.
        mesh: Steps per unit; exact when reference and limit are multiples of 1 / mesh.

    Source:
        Reynolds, Stoumbos (1999): finite Markov chain.

    Example:
        >>> f"{bernoulli_run_length(Chart(reference=0.25, limit=1.5), 0.5):.6f}"
        '5.333333'
    """
    share("rate", rate)
    return _run_length(chart, np.array([1 - rate, rate]), mesh)


def poisson_run_length(chart: Chart, mean: float, *, mesh: int = 20) -> float:
    """
    Mean number of intervals until an alarm, starting at 0.

    Args:
        chart: Reference and limit, rounded to the mesh.
        mean: True mean count per interval.
        mesh: Steps per unit; exact when reference and limit are multiples of 1 / mesh.

    Source:
        Brook, Evans (1972), Biometrika 59:539-549; Lucas (1985).

    Example:
        >>> f"{poisson_run_length(Chart(reference=2.0, limit=1.0), 2.0):.6f}"
        '3.092877'
    """
    from scipy.stats import poisson

    if not (math.isfinite(mean) and mean > 0):
        raise ValueError(f"mean is {mean}; a mean count is positive")
    most = math.ceil(chart.limit + chart.reference)
    return _run_length(chart, np.asarray(poisson.pmf(np.arange(most + 1), mean), dtype=np.float64), mesh)


def normal_run_length(chart: Chart, mean: float, *, start: float = 0.0) -> float:
    """
    Mean number of standardised values (standard deviation 1) until an alarm.

    Args:
        chart: Reference and limit, in standard deviations.
        mean: True mean.
        start: The sum before the first value, below the limit; a head start finds faults at
            the start sooner.

    Source:
        Page (1954), Biometrika 41:100-115, integral equation, by Gauss-Legendre quadrature;
        agrees with R `spc::xcusum.arl`. Brook, Evans (1972) have 117.59 and 3.75 here.

    Example:
        >>> f"{normal_run_length(Chart(reference=0.5, limit=3.0), 0.0):.2f}"
        '117.60'
    """
    finite("mean and start", [mean, start])
    if not (0 <= start < chart.limit < math.inf and math.isfinite(chart.reference)):
        raise ValueError(f"start is {start}, limit {chart.limit}; start must lie between 0 and a finite limit")
    size = max(_NODES, math.ceil(2 * chart.limit))
    nodes, weights = np.polynomial.legendre.leggauss(size)
    places, widths = (nodes + 1) * chart.limit / 2, weights * chart.limit / 2
    shift = chart.reference - mean
    at = np.append(places, [0.0, start])
    kernel = np.exp(-((places - at[:, None] + shift) ** 2) / 2) / math.sqrt(2 * math.pi) * widths
    back = special.ndtr(shift - at)
    matrix = np.eye(size + 1)
    matrix[:, :size] -= kernel[:-1]
    matrix[:, size] -= back[:-1]
    lengths = np.linalg.solve(matrix, np.ones(size + 1))
    return float(1 + kernel[-1] @ lengths[:size] + back[-1] * lengths[size])


def limit_for(reference: float, run_length: float, rate: float, *, mesh: int = _MESH) -> float:
    """
    Smallest limit at which errors of the good rate alarm at most once in so many requests.

    Args:
        reference: As by `bernoulli_reference`.
        run_length: Mean number of requests between false alarms.
        rate: The good error rate.
        mesh: As in `bernoulli_run_length`.

    Example:
        >>> limit = limit_for(0.25, 500.0, 0.1)
        >>> bernoulli_run_length(Chart(reference=0.25, limit=limit), 0.1) >= 500
        True
    """
    share("reference", reference), share("rate", rate), above_zero("run_length", run_length)
    counts(mesh=mesh)
    if not mesh or run_length > _LONGEST:
        raise ValueError(f"mesh is {mesh}, run_length {run_length}; mesh must be 1 or more, run_length at most 1e12")
    low, high = 0, 1
    while bernoulli_run_length(Chart(reference=reference, limit=high / mesh), rate, mesh=mesh) < run_length:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        reached = bernoulli_run_length(Chart(reference=reference, limit=middle / mesh), rate, mesh=mesh) >= run_length
        low, high = (low, middle) if reached else (middle, high)
    return high / mesh


def _run_length(chart: Chart, chances: NDArray[np.float64], mesh: int) -> float:
    """Mean first passage of the chain of sums; *chances* of the values 0, 1, ..."""
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import spsolve

    counts(mesh=mesh)
    number("limit", chart.limit), number("reference", chart.reference)
    states, fall = round(chart.limit * mesh), round(chart.reference * mesh)
    if states < 1 or fall < 1:
        raise ValueError(f"limit {chart.limit} or reference {chart.reference} is below 1 / mesh; take a finer mesh")
    place = np.arange(states)
    target = np.maximum(0, place[:, None] + np.arange(chances.size) * mesh - fall)
    inside = target < states
    rows = np.broadcast_to(place[:, None], target.shape)[inside]
    weights = np.broadcast_to(chances, target.shape)[inside]
    chain = csr_array((weights, (rows, target[inside])), shape=(states, states))
    return float(np.atleast_1d(spsolve((eye_array(states) - chain).tocsc(), np.ones(states)))[0])


def _rising(good: float, bad: float) -> None:
    if not 0 < good < bad < math.inf:
        raise ValueError(f"good is {good} and bad {bad}; bad must be the greater, both positive")
