"""Coverage and error rates by simulation; the figures are quoted in docs/statistics/unpaired.md."""

import math

import numpy as np
import pytest
from scipy import special, stats

from flows.stats.moments import CoMoments
from flows.stats.unpaired.batch import compare_many
from flows.stats.unpaired.cuped import cuped, cuped_lift
from flows.stats.unpaired.proportions import miettinen_nurminen, newcombe
from flows.stats.unpaired.ranks import mann_whitney, quantile_difference
from flows.stats.unpaired.ratios import key_moments, ratio_difference

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

LAWS = {
    "exponential": lambda rng, shape: rng.exponential(1, shape),
    "lognormal": lambda rng, shape: rng.lognormal(0, 1, shape),
    "gamma": lambda rng, shape: rng.gamma(2, 1, shape),
    "heavy lognormal": lambda rng, shape: rng.lognormal(0, 1.5, shape),
}
LIGHT = ["exponential", "lognormal", "gamma"]


def moments(rng, law, n, runs, scale=1.0):
    """(n, mean, m2) of many samples, a few million values at a time."""
    means, m2s, step = [], [], max(1, 4_000_000 // n)
    for start in range(0, runs, step):
        values = LAWS[law](rng, (min(step, runs - start), n)) * scale
        means.append(values.mean(axis=1))
        m2s.append(((values - means[-1][:, None]) ** 2).sum(axis=1))
    return np.full(runs, n), np.concatenate(means), np.concatenate(m2s)


def covered(law, n1, n2, lift, runs):
    """Shares of intervals that hold the true lift: ours, and spotify-confidence's formula."""
    rng = np.random.default_rng([len(law), n1, n2, round(lift * 100)])
    ours, theirs = moments(rng, law, n1, runs), moments(rng, law, n2, runs, 1 + lift)
    found = compare_many(ours, theirs)
    half = special.ndtri(0.975) * np.sqrt(ours[2] / (n1 - 1) / n1 + theirs[2] / (n2 - 1) / n2) / ours[1]
    spotify = np.abs(theirs[1] / ours[1] - 1 - lift) <= half
    return np.mean((found.lift_low <= lift) & (lift <= found.lift_high)), np.mean(spotify), np.mean(found.lift_p < 0.05)


@pytest.mark.parametrize("lift", [0.0, 0.5])
@pytest.mark.parametrize(("n1", "n2"), [(500, 500), (2000, 2000), (500, 2000), (2000, 500)])
@pytest.mark.parametrize("law", LIGHT)
def test_lift_intervals_cover_95_percent_from_500_values(law, n1, n2, lift):
    ours, spotify, rejected = covered(law, n1, n2, lift, 40_000)
    print(f"{law} {n1}/{n2} +{lift:.0%}: covers {ours:.2%}, spotify {spotify:.2%}, rejects {rejected:.2%}")

    assert abs(ours - 0.95) <= 0.006
    assert lift > 0 or abs(rejected - 0.05) <= 0.006


@pytest.mark.parametrize("lift", [0.0, 0.5])
@pytest.mark.parametrize("law", LIGHT)
def test_lift_intervals_cover_93_percent_at_50_values(law, lift):
    ours, spotify, rejected = covered(law, 50, 50, lift, 100_000)
    print(f"{law} 50/50 +{lift:.0%}: covers {ours:.2%}, spotify {spotify:.2%}, rejects {rejected:.2%}")

    assert ours >= 0.93
    assert lift == 0 or spotify < 0.91


@pytest.mark.parametrize(("n1", "n2"), [(500, 500), (500, 2000), (1000, 9000), (9000, 1000)])
def test_lift_intervals_of_very_heavy_tails_fall_short_by_no_more_than_is_said(n1, n2):
    ours, spotify, rejected = covered("heavy lognormal", n1, n2, 0.5, 10_000)
    print(f"lognormal, sigma 1.5, {n1}/{n2} +50%: covers {ours:.2%}, spotify {spotify:.2%}, rejects {rejected:.2%}")

    assert 0.92 <= ours <= 0.965


def test_requests_of_one_key_are_no_evidence_of_their_own():
    rng, runs, by_key, naive = np.random.default_rng(1), 5000, 0, 0
    for _ in range(runs):
        arms, plain = [], []
        for _ in range(2):
            counts = rng.geometric(0.1, 200)
            values = np.repeat(rng.normal(size=200), counts) + rng.normal(size=counts.sum())
            sums = np.add.reduceat(values, np.concatenate([[0], np.cumsum(counts)[:-1]]))
            arms.append(CoMoments.of(counts, sums))
            plain.append(values)
        by_key += ratio_difference(*arms).p_value < 0.05
        naive += stats.ttest_ind(*plain, equal_var=False).pvalue < 0.05
    print(f"200 keys of 10 requests: by key {by_key / runs:.2%}, by request {naive / runs:.2%}")

    assert by_key / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs) + 0.005
    assert naive / runs > 0.4


def test_keys_that_differ_in_weight_have_intervals_that_cover():
    rng, runs, hits = np.random.default_rng(2), 20_000, 0
    for _ in range(runs):
        counts = rng.geometric(0.3, 300)
        sums = counts * rng.normal(1, 1, 300) + rng.normal(size=300) * np.sqrt(counts)
        moments = key_moments(counts, sums)
        hits += abs(moments.mean - 1) <= 1.96 * moments.error
    print(f"ratio of 300 keys: covers {hits / runs:.2%}")

    assert hits / runs >= 0.935


def test_cuped_keeps_its_error_rate_and_gains_power():
    rng, runs = np.random.default_rng(3), 5000
    count = {"null": 0, "lift": 0, "cover": 0, "power": 0, "plain": 0}
    for _ in range(runs):
        x1, x2 = rng.gamma(2, size=(2, 300))
        y1, y2 = x1 + rng.gamma(1, size=300), x2 + rng.gamma(1, size=300)
        ours = CoMoments.of(x1, y1)
        count["null"] += cuped(ours, CoMoments.of(x2, y2)).p_value < 0.05
        lifted = CoMoments.of(x2, y2 * 1.1)
        effect = cuped_lift(ours, lifted)
        count["cover"] += effect.low <= 0.1 <= effect.high
        count["power"] += effect.p_value < 0.05
        count["lift"] += cuped_lift(ours, CoMoments.of(x2, y2)).p_value < 0.05
        count["plain"] += stats.ttest_ind(y2 * 1.1, y1, equal_var=False).pvalue < 0.05
    print({name: f"{value / runs:.2%}" for name, value in count.items()})

    error = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert count["null"] / runs <= 0.05 + error
    assert count["lift"] / runs <= 0.05 + error
    assert abs(count["cover"] / runs - 0.95) <= error + 0.003
    assert count["power"] > 1.3 * count["plain"]


@pytest.mark.parametrize(("q", "n"), [(0.5, 500), (0.95, 500), (0.95, 2000), (0.99, 500), (0.99, 2000)])
def test_differences_of_quantiles_cover(q, n):
    rng, runs, hits, wrong = np.random.default_rng(4), 4000, 0, 0
    true = 0.2 * math.exp(stats.norm.ppf(q))
    for _ in range(runs):
        ours, theirs = rng.lognormal(0, 1, (2, n))
        effect = quantile_difference(ours, theirs * 1.2, q=q)
        hits += effect.low <= true <= effect.high
        wrong += quantile_difference(ours, theirs, q=q).p_value < 0.05
    print(f"quantile {q} of {n}: covers {hits / runs:.2%}, A/A rejects {wrong / runs:.2%}")

    assert hits / runs >= 0.94 - 3 * math.sqrt(0.05 * 0.95 / runs)
    assert wrong / runs <= 0.06


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_quantiles_of_clustered_requests_keep_their_error_rate(q):
    rng, runs, by_key, naive = np.random.default_rng(5), 2000, 0, 0
    for _ in range(runs):
        values, owners = [], []
        for _ in range(2):
            counts = rng.geometric(0.2, 300)
            values.append(np.exp(np.repeat(rng.normal(size=300), counts) + rng.normal(0, 0.5, counts.sum())))
            owners.append(np.repeat(np.arange(300), counts))
        by_key += quantile_difference(*values, q=q, champion_keys=owners[0], challenger_keys=owners[1]).p_value < 0.05
        naive += quantile_difference(*values, q=q).p_value < 0.05
    print(f"quantile {q} by key: {by_key / runs:.2%}, by request {naive / runs:.2%}")

    assert by_key / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert naive / runs > 0.2


def test_rank_intervals_cover():
    rng, runs = np.random.default_rng(6), 5000
    for apart, n in ((0.0, 30), (1.0, 30), (2.5, 30), (1.0, 200)):
        true = stats.norm.cdf(apart / math.sqrt(2)) - 0.5
        hits = 0
        for _ in range(runs):
            effect = mann_whitney(rng.normal(size=n), rng.normal(apart, 1, n))
            hits += effect.low <= true <= effect.high
        print(f"P(X > Y) = {true + 0.5:.3f}, n = {n}: covers {hits / runs:.2%}")
        assert hits / runs >= 0.93


def test_share_intervals_cover_exactly_computed():
    for n1, n2, p1, p2 in ((20, 20, 0.1, 0.3), (30, 60, 0.05, 0.05), (50, 50, 0.5, 0.7)):
        chance = np.outer(stats.binom.pmf(range(n1 + 1), n1, p1), stats.binom.pmf(range(n2 + 1), n2, p2))
        held = {"score": 0.0, "newcombe": 0.0}
        for x1 in range(n1 + 1):
            for x2 in range(n2 + 1):
                if chance[x1, x2] < 1e-9:
                    continue
                effect = miettinen_nurminen((x1, n1), (x2, n2))
                held["score"] += chance[x1, x2] * (effect.low <= p2 - p1 <= effect.high)
                _, low, high = newcombe((x1, n1), (x2, n2))
                held["newcombe"] += chance[x1, x2] * (low <= p2 - p1 <= high)
        print(f"{n1}, {n2} at {p1}, {p2}: " + ", ".join(f"{name} {value:.2%}" for name, value in held.items()))
        assert held["score"] >= 0.935
