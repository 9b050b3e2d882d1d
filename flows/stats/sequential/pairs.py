"""Shadow mode: both models scored the same request, the label arrives later."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln

from flows.stats.checks import counts, finite, same_length, share
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.discrete import Tally, interval
from flows.stats.sequential.mixture import tuning

Side = Literal["both", "better", "worse"]
_SIGNS: dict[Side, int] = {"both": 0, "better": 1, "worse": -1}
_TINY = 1e-300


def discordant_log_e(lost: int, won: int, a: float = 1.0, side: Side = "both") -> float:
    """
    Log e-value against "each model wins a discordant pair with probability 1/2".

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        a: Both parameters of the Beta mixture; larger ones expect smaller differences.
        side: "better" tests against "the challenger wins at most half of them", "worse"
            against "at least half".

    Returns:
        Log of the Beta-mixture likelihood ratio; the process over time is a
        (super)martingale under the hypothesis, so exceeding log(1/alpha) at any time has
        probability at most alpha.

    Raises:
        ValueError: If a count is negative or broken, or a is not positive.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409; Ville (1939).

    Example:
        >>> f"{discordant_log_e(10, 40):.3f} {discordant_log_e(10, 40, side='better'):.3f}"
        '7.673 8.366'
    """
    counts(lost=lost, won=won)
    _prior(a)
    both = float(betaln(a + won, a + lost) - betaln(a, a) + (won + lost) * math.log(2))
    if side == "both":
        return both
    ahead = betainc(a + lost, a + won, 0.5) if side == "better" else betainc(a + won, a + lost, 0.5)
    return both + math.log(2 * max(float(ahead), _TINY))


def prior_for(discordant: float, *, alpha: float = 0.05) -> float:
    """
    Parameter of the Beta mixture that decides soonest around so many discordant pairs.

    Args:
        discordant: Number of discordant pairs by which you expect to decide, e.g. 6 % of 6,000 requests.
        alpha: Error rate over all looks together.

    Source:
        arXiv 2103.06476, eq. 161, for the normal limit of the mixture.

    Example:
        >>> f"{prior_for(360):.2f}"
        '22.68'
    """
    return 0.5 / tuning(alpha, discordant)


def discordant_trace(
    lost: ArrayLike, won: ArrayLike, *, a: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    The e-process over time and its p-value, which never rises.

    Args:
        lost, won: Shape (looks,). Cumulative discordant pairs at each look.
        a: As in `discordant_log_e`.

    Returns:
        Log e-values and logs of the always-valid p-values; both of shape (looks,).

    Raises:
        ValueError: If the lengths differ, or a count is negative or falls over time.

    Example:
        >>> log_e, log_p = discordant_trace([0, 1, 1], [0, 4, 4])
        >>> [f"{x:.3f}" for x in (*log_e, *log_p)]
        ['0.000', '0.065', '0.065', '0.000', '-0.065', '-0.065']
    """
    fewer, more = finite("lost", lost), finite("won", won)
    same_length(lost=fewer, won=more)
    _prior(a)
    for name, series in (("lost", fewer), ("won", more)):
        falls = int(np.count_nonzero(np.diff(series, prepend=0.0) < 0))
        if falls:
            raise ValueError(f"{name} falls {falls} times; give cumulative counts in order of time")
    log_e = betaln(a + more, a + fewer) - betaln(a, a) + (more + fewer) * math.log(2)
    return np.asarray(log_e, dtype=np.float64), running_log_p(0.0 - log_e)


def running_log_p(log_p: ArrayLike) -> NDArray[np.float64]:
    """
    An always-valid p-value once reached stays: the running minimum.

    Args:
        log_p: Shape (looks,). Logs of p-values in order of time; above 0 counts as 0.

    Example:
        >>> running_log_p([0.0, -3.0, -1.0]).tolist()
        [0.0, -3.0, -3.0]
    """
    return np.minimum.accumulate(np.minimum(0.0, finite("log_p", log_p) + 0.0))


def discordant_pairs(
    lost: int,
    won: int,
    pairs: int,
    *,
    alpha: float = 0.05,
    a: float = 1.0,
    side: Side = "both",
    highest_log_e: float = -math.inf,
) -> AlwaysValid:
    """
    Compare the accuracy of two models that scored the same requests.

    Exact at any sample size: no asymptotics, no look schedule.

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        pairs: All labelled pairs, concordant ones included.
        alpha: Error rate over all looks together.
        a: As in `discordant_log_e`; 1 suits large differences, `prior_for` small ones.
        side: "better" asks only whether the challenger is better, "worse" only whether it is worse; the
            interval is then open to the other side.
        highest_log_e: Highest log e-value at earlier looks; the p-value then never rises.

    Returns:
        Difference of accuracies. Its interval is exact, too: a betting confidence sequence for the
        mean of outcomes -1, 0 and 1 that does not take the rate of discordance as known. It excludes 0
        exactly when the e-value of this look exceeds 1 / alpha.

    Raises:
        ValueError: If counts are negative or more pairs are discordant than there are.

    Source:
        As `discordant_log_e`; interval: Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, sec. 4,
        with stakes mixed over the same Beta prior, which at a difference of 0 is the same process.

    Example:
        >>> seen = discordant_pairs(10, 40, 1000)
        >>> f"{seen.estimate:.3f} [{seen.low:.3f}, {seen.high:.3f}] p = {seen.p_value:.5f}"
        '0.030 [0.009, 0.055] p = 0.00047'
    """
    share("alpha", alpha)
    counts(lost=lost, won=won, pairs=pairs)
    if lost + won > pairs:
        raise ValueError(f"{lost + won} discordant pairs among {pairs}; there cannot be more than pairs")
    log_e = discordant_log_e(lost, won, a, side)
    log_p = min(0.0, -max(log_e, highest_log_e))
    low, high = -math.inf, math.inf
    if lost + won:
        tally = Tally((0.0, 0.5, 1.0), (lost, pairs - lost - won, won))
        low, high = (2 * end - 1 for end in interval(tally, 2 * a, alpha, _SIGNS[side], pivot=0.5))
    return AlwaysValid(
        method="e-process on discordant pairs (Beta mixture)",
        estimate=(won - lost) / pairs if pairs else 0.0,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        log_e=log_e,
        n=pairs,
        note="" if lost + won else "no discordant pairs" if pairs else "no labelled pairs",
    )


@dataclass(slots=True)
class PairStream:
    """
    Shadow comparison that is updated label by label, in constant time and memory.

    Attributes:
        a: As in `discordant_log_e`.
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        pairs: All labelled pairs.
        log_e: Log e-value now.
        highest: Highest log e-value so far.

    Example:
        >>> stream = PairStream()
        >>> for _ in range(8):
        ...     stream.update(False, True)
        >>> f"{stream.log_e:.9f} {discordant_log_e(0, 8):.9f} {stream.log_p:.3f}"
        '3.347952867 3.347952867 -3.348'
    """

    a: float = 1.0
    lost: int = 0
    won: int = 0
    pairs: int = 0
    log_e: float = 0.0
    highest: float = 0.0

    def update(self, champion_right: bool, challenger_right: bool) -> None:
        """Count one labelled pair."""
        self.pairs += 1
        if champion_right == challenger_right:
            return
        ahead = self.won if challenger_right else self.lost
        self.log_e += math.log(2 * (self.a + ahead) / (2 * self.a + self.won + self.lost))
        if challenger_right:
            self.won += 1
        else:
            self.lost += 1
        self.highest = max(self.highest, self.log_e)

    @property
    def log_p(self) -> float:
        """Log of the always-valid p-value, which never rises."""
        return -self.highest

    def seen(self, *, alpha: float = 0.05) -> AlwaysValid:
        """The comparison now; its p-value is the lowest so far."""
        return discordant_pairs(self.lost, self.won, self.pairs, alpha=alpha, a=self.a, highest_log_e=self.highest)


def _prior(a: float) -> None:
    if not (math.isfinite(a) and a > 0):
        raise ValueError(f"a is {a}; the parameter of the Beta mixture must be positive, e.g. 1")
