"""False alarms and power of the sample ratio test, looked at a thousand times."""

import math

import numpy as np
import pytest
from scipy.special import gammaln

from flows.stats.integrity.srm import STRENGTH, sample_ratio

LOOKS, PER_LOOK = 1000, 20


def log_e(counts, planned):
    """Shape (..., arms) -> (...): the test's log e-value, many at a time."""
    prior = np.asarray(planned) * STRENGTH
    after = prior + counts
    ratio = (gammaln(after) - gammaln(prior) - counts * np.log(planned)).sum(axis=-1)
    return ratio - gammaln(after.sum(axis=-1)) + gammaln(STRENGTH)


def flagged(true, planned, *, runs, seed, looks=LOOKS, per_look=PER_LOOK):
    """Share of runs ever flagged at .001, in batches that fit in memory."""
    rng, hits, done = np.random.default_rng(seed), 0, 0
    while done < runs:
        batch = min(1000, runs - done)
        counts = np.cumsum(rng.multinomial(per_look, true, size=(batch, looks)), axis=1)
        hits += int(np.sum(log_e(counts, planned).max(axis=1) >= math.log(1000)))
        done += batch
    return hits / runs


def test_the_simulated_statistic_is_that_of_the_library():
    for counts, planned in (([5200, 4800], [0.5, 0.5]), ([940, 35, 25], [0.9, 0.05, 0.05])):
        seen = sample_ratio(dict(zip("abc", counts, strict=False)), dict(zip("abc", planned, strict=False)))

        assert seen.log_e == pytest.approx(float(log_e(np.array(counts), planned)), abs=1e-8)


def test_52_to_48_is_usually_flagged_by_20_000_requests():
    assert flagged([0.52, 0.48], [0.5, 0.5], runs=300, seed=1, looks=100, per_look=200) >= 0.90


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    "planned",
    [
        (0.5, 0.5),
        (0.95, 0.05),
        (0.999, 0.001),
        (1 / 3, 1 / 3, 1 / 3),
        (0.9, 0.05, 0.05),
        (0.4, 0.2, 0.1, 0.1, 0.1, 0.1),
    ],
)
def test_a_split_that_deals_as_planned_is_flagged_in_a_thousandth_of_runs(planned):
    runs = 50_000
    found = flagged(planned, planned, runs=runs, seed=11)
    print(f"SRM A/A {planned}: {found:.5f} of {runs} runs x {LOOKS} looks")

    assert found <= 0.001 + 3 * math.sqrt(0.001 * 0.999 / runs)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("looks", [20, 100, 1000])
def test_52_to_48_is_flagged_by_20_000_requests_in_93_of_100_runs(looks):
    found = flagged([0.52, 0.48], [0.5, 0.5], runs=20_000, seed=12, looks=looks, per_look=20_000 // looks)
    print(f"SRM 52/48 flagged by 20,000 requests, {looks} looks: {found:.4f}")

    assert found >= 0.93
