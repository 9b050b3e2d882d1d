"""Two arms of different callers whose outcomes are bounded: betting in both at once."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import finite, number, share
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.bounded import Bets, log_capital, stakes, unit_scale

_CELLS = 400
_CASH = -math.log(2)
_METHOD = "betting confidence sequence, two arms"


def two_arm_betting_sequence(
    champion: ArrayLike, challenger: ArrayLike, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05
) -> AlwaysValid:
    """
    Difference of two means of bounded values over different callers.

    In each arm half of the capital is bet, half is kept; the wealths are multiplied. That is
    narrower than joining two intervals at alpha / 2.

    Args:
        champion, challenger: Shapes (n,) and (m,), each in order of time, between *low* and *high*.
        low, high: Bounds known before the data.
        alpha: Error rate over all looks together.

    Returns:
        The difference with an exact confidence sequence, rounded outwards to 1/400 of the range in which
        both means may lie; it excludes 0 exactly when the e-value exceeds 1 / alpha.

    Raises:
        ValueError: If a value is not a number or lies outside of the bounds.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, theorem 3, for each arm; product of e-processes of
        independent arms and the infimum over the nuisance mean: Ramdas, Grünwald, Vovk, Shafer (2023),
        Stat. Sci. 38:576-601.

    Example:
        >>> seen = two_arm_betting_sequence([0.2, 0.5, 0.4, 0.6] * 100, [0.4, 0.8, 0.6, 0.7] * 100)
        >>> seen.low > 0.1, seen.high < 0.3, seen.p_value < 0.001
        (True, True, True)
    """
    share("alpha", alpha)
    number("low", low), number("high", high)
    raw = [finite("champion", champion), finite("challenger", challenger)]
    ours, theirs = (
        stakes(unit_scale(name, x, low, high), alpha) for name, x in zip(("champion", "challenger"), raw, strict=True)
    )
    n, width = min(ours.values.size, theirs.values.size), high - low
    if not n:
        return AlwaysValid(
            method=_METHOD,
            estimate=0.0,
            low=-width,
            high=width,
            p_value=1.0,
            log_p=0.0,
            log_e=0.0,
            n=0,
            note="an arm has no values",
        )
    estimate = float(raw[1].mean() - raw[0].mean())
    grid = _grid(ours, theirs)
    more, less = _ahead(ours, theirs, grid), _ahead(theirs, ours, grid)
    step, threshold = float(grid[1] - grid[0]), -math.log(alpha)
    log_e = max(more(0), less(0)) - math.log(2)
    ends = (_first(more, threshold), -_first(less, threshold))
    return AlwaysValid(
        method=_METHOD,
        estimate=estimate,
        low=max(-width, min(ends[0] * step * width, estimate)),
        high=min(width, max(ends[1] * step * width, estimate)),
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=n,
    )


class _Ahead:
    """Log e-values against "the second mean exceeds the first by at most k cells"."""

    def __init__(self, behind: NDArray[np.float64], ahead: NDArray[np.float64]) -> None:
        self._behind, self._ahead = behind, ahead

    def __call__(self, k: int) -> float:
        """Least product of wealths over all pairs of means k cells apart; cell edges are taken unfavourably."""
        size = self._behind.size
        at = np.arange(-abs(k) - 1, size + abs(k) + 1)
        ours = np.where(at < 0, _CASH, self._behind[np.clip(at, 0, size - 1)])
        theirs = np.where(at + k + 1 >= size, _CASH, self._ahead[np.clip(at + k + 1, 0, size - 1)])
        return float(np.min(ours + theirs))


def _ahead(ours: Bets, theirs: Bets, grid: NDArray[np.float64]) -> _Ahead:
    smaller = np.array([log_capital(ours, mean, -1) for mean in grid])
    greater = np.array([log_capital(theirs, mean, 1) for mean in grid])
    return _Ahead(_halved(smaller), _halved(greater))


def _halved(log_wealth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.logaddexp(0.0, log_wealth) + _CASH, dtype=np.float64)


def _first(log_e: _Ahead, threshold: float) -> float:
    """Greatest k that is rejected, by bisection (rejection ends once as k grows); -inf for none."""
    low, high = -_CELLS - 1, _CELLS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if log_e(middle) - math.log(2) >= threshold:
            low = middle
        else:
            high = middle
    return low if low >= -_CELLS else -math.inf


def _grid(ours: Bets, theirs: Bets) -> NDArray[np.float64]:
    """Means that matter: a generous Hoeffding range about both means."""
    means = [float(arm.values.mean()) for arm in (ours, theirs)]
    reach = [4 / math.sqrt(arm.values.size) for arm in (ours, theirs)]
    low = min(m - r for m, r in zip(means, reach, strict=True))
    high = max(m + r for m, r in zip(means, reach, strict=True))
    return np.linspace(max(low, 1e-9), min(high, 1 - 1e-9), _CELLS + 1)
