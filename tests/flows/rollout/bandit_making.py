"""A simulated fortnight of a bandit, or of a fixed split: real weights, real verdicts, and hours of different luck."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from flows.stats.sequential.mixture import radius
from registry.records.live import Moments, PhaseMetrics, VariantMetrics

Floats = NDArray[np.float64]
HOURS, PER_HOUR, FLOOR, FIRST = 168, 200, 0.05, 0.1


class Lives(NamedTuple):
    """
    How many challengers ended, shape (lives,) each.

    Attributes:
        requests: Until the end.
        regret: How many more successes the best arm would have had.
    """

    promoted: Floats
    rejected: Floats
    requests: Floats
    regret: Floats

    def means(self):
        return {name: round(float(np.mean(column)), 4) for name, column in self._asdict().items()}


class Sums:
    """What `stratified_gain` makes of the hours of all lives at once: running sums, so that an hour costs nothing."""

    def __init__(self, lives):
        self.weight, self.freedom = np.zeros(lives), np.zeros((2, lives))
        self.means, self.squares, self.shares = (np.zeros((2, lives)) for _ in range(3))

    def add(self, n, right):
        with np.errstate(divide="ignore", invalid="ignore"):
            weight, mean = np.where(n.min(0) > 0, n.prod(0) / n.sum(0), 0.0), np.where(n > 0, right / n, 0.0)
            self.shares += np.where(n.min(0) > 0, weight**2 / n, 0.0)
        both = n.min(0) > 0
        self.weight += weight
        self.means += weight * mean
        self.squares += both * n * mean * (1 - mean)
        self.freedom += both * np.maximum(n - 1, 0)

    def gain(self):
        """Estimate, standard error and information time."""
        with np.errstate(divide="ignore", invalid="ignore"):
            own = self.squares / self.freedom
            pooled = self.squares.sum(0) / self.freedom.sum(0)
            square = np.maximum((own * self.shares).sum(0), pooled * self.shares.sum(0)) / self.weight**2
            estimate = (self.means[1] - self.means[0]) / self.weight
            return estimate, np.sqrt(square), own.sum(0) / square


def live_on(dice, lives, *, gain, weighting, base=0.8, alpha=0.05, pooled=False):
    """
    Live a week, hour by hour; rates of both arms swing together, weights follow the evidence or stay at one half.

    Args:
        pooled: Judge by the sums over all hours, as nobody should.
    """
    sums, total = Sums(lives), np.zeros((2, 2, lives))
    weight, going = np.full(lives, FIRST if weighting else 0.5), np.ones(lives, dtype=bool)
    ends = Lives(*(np.zeros(lives) for _ in range(4)))
    for hour in range(1, HOURS + 1):
        rate = base + 0.1 * np.sin(hour / 4)
        theirs = dice.binomial(PER_HOUR, weight)
        n = np.array([PER_HOUR - theirs, theirs])
        right = np.array([dice.binomial(n[0], rate), dice.binomial(n[1], rate + gain)])
        sums.add(n, right)
        total += np.array([n, right])
        ends.regret[:] += going * abs(gain) * n[0 if gain > 0 else 1]
        ends.requests[:] += going * PER_HOUR
        estimate, error, time = _added_up(total) if pooled else sums.gain()
        half = np.where(
            np.isfinite(error) & (error > 0), radius(error, np.maximum(time, 1e-9), alpha=alpha, tuned_to=500), np.inf
        )
        better, worse = going & (estimate - half > 0), going & (estimate + half < 0)
        ends.promoted[:] += better
        ends.rejected[:] += worse
        going &= ~(better | worse)
        if weighting:
            estimate, error, _ = sums.gain()
            weight = np.where(error > 0, FLOOR + (1 - 2 * FLOOR) * ndtr(estimate / error), weight)
    return ends


def _added_up(total):
    sums = Sums(total.shape[-1])
    sums.add(*total)
    return sums.gain()


def phase(name, share, champion, challenger):
    """Of (right, n) of both arms."""
    arms = {"champion": champion, "challenger": challenger}
    return PhaseMetrics(
        phase=name,
        first_epoch=2,
        last_epoch=2,
        weights={"champion": 1_000_000 - round(share * 1e6), "challenger": round(share * 1e6)},
        variants={arm: variant(arm, *counts) for arm, counts in arms.items()},
    )


def variant(arm, right, n):
    rate = right / n
    return VariantMetrics(
        version="v1.0.0" if arm == "champion" else "v1.1.0",
        assigned=n,
        served=n,
        loss=Moments(n=n, mean=(1 - rate) / 2, m2=n * rate * (1 - rate) / 4),
        correct=Moments(n=n, mean=rate, m2=n * rate * (1 - rate)),
        latency_ms=Moments(n=n, mean=5.0, m2=1.0 * n),
    )
