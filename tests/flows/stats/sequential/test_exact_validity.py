"""Peeking at every value with the methods that need no asymptotics; the long tables are in the docs."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaln

from flows.stats.sequential.bounded import BernsteinStream, betting_sequence
from flows.stats.sequential.bounded_arms import two_arm_betting_sequence
from flows.stats.sequential.mixture import tuning
from flows.stats.sequential.quantiles import quantile_difference_sequence

Floats = NDArray[np.float64]
ALPHA = 0.05


def bound(runs: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def stakes(values: Floats) -> Floats:
    """Of many runs at once, shape (runs, n)."""
    n = np.arange(1, values.shape[1] + 1)
    means = (0.5 + np.cumsum(values, axis=1)) / (n + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2, axis=1)) / (n + 1)
    before = np.concatenate((np.full((len(values), 1), 0.25), variances[:, :-1]), axis=1)
    return np.sqrt(2 * math.log(2 / ALPHA) / (before * n * np.log(n + 1)))


def log_capitals(values: Floats, mean: float) -> tuple[Floats, Floats]:
    """Over time: bets that the mean is greater, and that it is smaller."""
    bets = stakes(values)
    up = np.log1p(np.minimum(bets, 0.5 / mean) * (values - mean))
    down = np.log1p(np.minimum(bets, 0.5 / (1 - mean)) * (mean - values))
    return np.cumsum(up, axis=1), np.cumsum(down, axis=1)


def bernstein(values: Floats) -> tuple[Floats, Floats]:
    n = np.arange(1, values.shape[1] + 1)
    before = np.concatenate((np.zeros((len(values), 1)), np.cumsum(values, axis=1)[:, :-1]), axis=1)
    bets = np.minimum(0.5, stakes(values))
    paid = np.cumsum((values - (0.5 + before) / n) ** 2 * (-np.log1p(-bets) - bets), axis=1)
    total = np.cumsum(bets, axis=1)
    middle, margin = np.cumsum(bets * values, axis=1) / total, (math.log(2 / ALPHA) + paid) / total
    return middle - margin, middle + margin


def quantile_log_e(below: NDArray[np.int64], n: NDArray[np.int64], quantile: float, tuned_to: float) -> Floats:
    size = 1 / tuning(ALPHA, tuned_to)
    a, b = size * quantile, size * (1 - quantile)
    prior = betaln(a, b) + below * math.log(quantile) + (n - below) * math.log1p(-quantile)
    return np.asarray(betaln(a + below, b + n - below) - prior)


def halved(log_wealth: Floats) -> Floats:
    return np.logaddexp(0.0, log_wealth) - math.log(2)


def outcomes(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    return rng.beta(0.5, 1.5, shape) if kind == "beta" else (rng.random(shape) < float(kind)).astype(float)


def ever(over: NDArray[np.bool_]) -> float:
    return float(np.mean(over.any(axis=1)))


def alarms(kind: str, runs: int, n: int, seed: int) -> dict[str, float]:
    """Share of runs in which the truth is ever rejected, looking at every value; 95/5 for two arms."""
    rng = np.random.default_rng(seed)
    ours, theirs = outcomes(kind, (runs, n), rng), outcomes(kind, (runs, n), rng)
    mean = 0.25 if kind == "beta" else float(kind)
    threshold = math.log(1 / ALPHA)
    up, down = log_capitals(theirs, mean)
    paired = np.maximum(*log_capitals((theirs - ours + 1) / 2, 0.5)) - math.log(2)
    low, high = bernstein(theirs)
    small = slice(19, None, 20)
    first, second = log_capitals(ours, mean), [x[:, : n // 20] for x in (up, down)]
    one = halved(first[1][:, small]) + halved(second[0])
    other = halved(first[0][:, small]) + halved(second[1])
    return {
        "betting": ever(np.maximum(up, down) - math.log(2) >= threshold),
        "betting, pairs": ever(paired >= threshold),
        "betting, 95/5 (upper bound)": ever(np.maximum(one, other) - math.log(2) >= threshold),
        "empirical Bernstein": ever((low > mean) | (high < mean)),
    }


def quantile_alarms(quantile: float, runs: int, n: int, seed: int) -> dict[str, float]:
    rng, at = np.random.default_rng(seed), np.arange(1, n + 1)
    ours, theirs = (np.cumsum(rng.random((runs, n)) < quantile, axis=1) for _ in range(2))
    threshold, found = math.log(1 / ALPHA), {"quantile": 0.0, "quantiles, 50/50 (upper bound)": 0.0}
    for tuned_to in (30, 1000):
        one, two = (quantile_log_e(x, at, quantile, tuned_to) for x in (ours, theirs))
        found["quantile"] = max(found["quantile"], ever(two >= threshold))
        found["quantiles, 50/50 (upper bound)"] = max(
            found["quantiles, 50/50 (upper bound)"], ever(one + two >= threshold)
        )
    return found


def test_the_arrays_simulated_are_what_the_functions_answer():
    values = np.random.default_rng(1).beta(0.5, 1.5, (1, 300))
    up, down = log_capitals(values, 0.25)
    low, high = bernstein(values)
    stream = BernsteinStream()
    for value in values[0]:
        stream.update(float(value))

    seen = betting_sequence(values[0], against=0.25)
    assert seen.log_e == pytest.approx(max(up[0, -1], down[0, -1]) - math.log(2), abs=1e-9)
    assert stream.interval() == pytest.approx((low[0, -1], high[0, -1]), abs=1e-9)


def test_the_upper_bounds_simulated_are_upper_bounds():
    rng = np.random.default_rng(2)
    for _ in range(5):
        ours, theirs = rng.beta(0.5, 1.5, (2, 1, 200))
        first, second = log_capitals(ours, 0.25), log_capitals(theirs, 0.25)
        ceiling = max(
            halved(first[1])[0, -1] + halved(second[0])[0, -1], halved(first[0])[0, -1] + halved(second[1])[0, -1]
        ) - math.log(2)
        assert two_arm_betting_sequence(ours[0], theirs[0]).log_e <= ceiling + 1e-9

        x, y = rng.random((2, 200))
        counts = [np.array([np.sum(v <= 0.9)]) for v in (x, y)]
        ceiling = sum(float(quantile_log_e(k, np.array([200]), 0.9, 1000)[0]) for k in counts)
        assert quantile_difference_sequence(x, y, 0.9).log_e <= ceiling + 1e-9


@pytest.mark.parametrize("kind", ["beta", "0.5", "0.01"])
def test_bounded_outcomes_rarely_reject_the_truth(kind):
    assert max(alarms(kind, 400, 300, 3).values()) <= bound(400)


def test_quantiles_rarely_reject_the_truth():
    assert max(quantile_alarms(0.95, 400, 300, 4).values()) <= bound(400)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["beta", "0.5", "0.01", "0.002"])
def test_bounded_outcomes_rarely_reject_the_truth_in_ten_thousand_runs(kind):
    parts = [alarms(kind, 1000, 4000, seed) for seed in range(10)]
    found = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    for name, rate in found.items():
        print(f"| {kind} | {name} | {rate:.2%} |")

    assert max(found.values()) <= bound(10_000)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_quantiles_rarely_reject_the_truth_in_ten_thousand_runs(quantile):
    parts = [quantile_alarms(quantile, 1000, 4000, seed) for seed in range(10)]
    found = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    for name, rate in found.items():
        print(f"| {quantile} | {name} | {rate:.2%} |")

    assert max(found.values()) <= bound(10_000)
