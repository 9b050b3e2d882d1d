"""A simulated fortnight of a bandit, or of a fixed split: real weights, real verdicts, and hours of different luck."""

from typing import NamedTuple

import numpy as np

from flows.stats.adaptive.thompson import thompson_weights
from flows.stats.bayes.beliefs import Normal
from flows.stats.sequential.strata import Cell, stratified_gain, stratified_sequence
from registry.records.live import Moments, PhaseMetrics, VariantMetrics

HOURS, PER_HOUR, FLOOR, FIRST = 168, 200, 0.05, 0.1


class Life(NamedTuple):
    """How one challenger ended, after how many requests, and how many more successes the best arm would have had."""

    promoted: bool
    rejected: bool
    requests: int
    regret: float


class Summary(NamedTuple):
    """Shares and means over many lives."""

    promoted: float
    rejected: float
    requests: float
    regret: float


def bandit_life(dice, *, gain, weighting, base=0.8, alpha=0.05):
    """Rates of both arms swing together by the hour; weights follow the evidence, or stay at one half."""
    strata, weight, regret = [], FIRST if weighting else 0.5, 0.0
    for hour in range(1, HOURS + 1):
        rate = base + 0.1 * np.sin(hour / 4)
        n = dice.binomial(PER_HOUR, weight)
        strata.append((cell(dice, PER_HOUR - n, rate), cell(dice, n, rate + gain)))
        regret += gain * (PER_HOUR - n) if gain > 0 else -gain * n
        seen = stratified_sequence(strata, alpha=alpha, tuned_to=500)
        if seen.low > 0 or seen.high < 0:
            return Life(seen.low > 0, seen.high < 0, hour * PER_HOUR, regret)
        weight = follow(strata, weight) if weighting else weight
    return Life(False, False, HOURS * PER_HOUR, regret)


def follow(strata, weight):
    found = stratified_gain(strata)
    if not 0 < found.error < np.inf:
        return weight
    half = found.error / np.sqrt(2)
    arms = {"champion": Normal(mean=0.0, sd=half, n=1), "challenger": Normal(mean=found.estimate, sd=half, n=1)}
    return thompson_weights(arms, floor=FLOOR).weights["challenger"] / 1e6


def cell(dice, n, rate):
    right = int(dice.binomial(n, rate))
    mean = right / n if n else 0.0
    return Cell(int(n), mean, n * mean * (1 - mean))


def summary(lives):
    return Summary(*(round(float(np.mean(column)), 3) for column in zip(*lives, strict=True)))


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
