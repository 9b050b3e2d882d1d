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


RAMP = ((0.99, 0.01), (0.9, 0.1), (0.75, 0.25), (0.5, 0.5))


def ramp_log_e(rng, runs, dealt, looks=250, per_look=40):
    """Shape (runs, phases * looks): evidence of `sample_ratio_by_phase` after every look of a ramp."""
    finished, so_far = np.zeros((runs, 0)), []
    for phase, planned in enumerate(RAMP, start=1):
        counts = np.cumsum(rng.multinomial(per_look, dealt.get(phase, planned), size=(runs, looks)), axis=1)
        now = log_e(counts, planned)
        stakes = np.array([1 / (j * (j + 1)) for j in range(1, phase + 1)])
        done = finished[:, None, :] + np.zeros((runs, looks, 1))
        every = np.concatenate([done, now[..., None]], axis=2)
        mean = np.logaddexp.reduce(every + np.log(stakes), axis=2)
        mean = np.logaddexp(mean, math.log1p(-stakes.sum()))
        so_far.append(np.logaddexp(every.sum(axis=2), mean) - math.log(2))
        finished = np.concatenate([finished, now[:, -1:]], axis=1)
    return np.concatenate(so_far, axis=1), finished


def test_the_simulated_ramp_is_that_of_the_library():
    from flows.stats.integrity.phases import sample_ratio_by_phase

    counts = [(9890, 110), (9010, 990), (7400, 2600), (5100, 4900)]
    each = np.array([float(log_e(np.array(c), p)) for c, p in zip(counts, RAMP, strict=True)])
    stakes = np.array([1 / (j * (j + 1)) for j in range(1, 5)])
    expected = (math.exp(each.sum()) + float(stakes @ np.exp(each)) + 1 - stakes.sum()) / 2
    seen = sample_ratio_by_phase(
        {
            str(i): (dict(zip("ab", c, strict=True)), dict(zip("ab", p, strict=True)))
            for i, (c, p) in enumerate(zip(counts, RAMP, strict=True))
        }
    )

    assert math.exp(seen.log_e) == pytest.approx(expected, rel=1e-7)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_a_ramp_that_deals_as_planned_is_flagged_in_a_thousandth_of_runs_and_a_broken_last_phase_is_found():
    rng, runs, hits, found = np.random.default_rng(13), 20_000, 0, 0
    for _ in range(runs // 1000):
        hits += int(np.sum(ramp_log_e(rng, 1000, {})[0].max(axis=1) >= math.log(1000)))
    for _ in range(4):
        broken = {4: (0.53, 0.47)}
        found += int(np.sum(ramp_log_e(rng, 1000, broken)[0].max(axis=1) >= math.log(1000)))
    print(f"SRM by phase, 4 phases x 250 looks: A/A {hits / runs:.5f}; 53/47 in the last 10,000: {found / 4000:.3f}")

    assert hits / runs <= 0.001 + 3 * math.sqrt(0.001 * 0.999 / runs)
    assert found / 4000 >= 0.8
