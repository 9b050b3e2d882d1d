"""
Errors are found soon, whenever they begin, and a healthy challenger stays; run lengths are exact.

The long simulations: `pytest -m long tests/router/test_error_watch.py -s` shows their figures.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.watch import REFERENCE, STRETCH, THRESHOLD, ErrorWatch, Evidence, LatencyWatch

TOLERATED, ALPHA = 0.02, 0.001
GRID = 125  # the reference of 0.024 failures per request is 3 steps of 1/125
DOWN, TOP = 3, int(THRESHOLD * 125)


def steps():
    place = np.arange(TOP)
    return np.minimum(place + GRID - DOWN, TOP), np.maximum(place - DOWN, 0)


def found_within(rate, requests):
    """Exact probability of an alarm within so many requests, from a start at zero (Brook and Evans)."""
    up, down = steps()
    now = np.zeros(TOP + 1)
    now[0] = 1.0
    for _ in range(requests):
        after = np.zeros(TOP + 1)
        np.add.at(after, up, rate * now[:TOP])
        np.add.at(after, down, (1 - rate) * now[:TOP])
        after[TOP] += now[TOP]
        now = after
    return now[TOP]


def run_length(rate):
    """Exact mean number of requests until an alarm."""
    up, down = steps()
    equations = np.eye(TOP)
    equations[np.arange(TOP), down] -= 1 - rate
    inside = np.flatnonzero(up < TOP)
    equations[inside, up[inside]] -= rate
    return np.linalg.solve(equations, np.ones(TOP))[0]


def alarm_at(failed, look=1, watch=None):
    """Number of the request at which the alarm sounds, at looks after so many requests each; None if it never does."""
    watch = watch or ErrorWatch(TOLERATED, ALPHA)
    failures = np.concatenate(([0], np.cumsum(failed)))
    for n in range(look, len(failed) + 1, look):
        if watch.alarmed(Evidence(asked=n, failures=int(failures[n]))):
            return n
    return None


def test_the_chain_is_that_of_the_watch():
    assert pytest.approx(DOWN / GRID) == REFERENCE * TOLERATED


def test_five_percent_is_found_within_800_requests_in_99_of_100_cases():
    assert found_within(0.05, 800) >= 0.99
    assert found_within(0.10, 250) >= 0.99


@pytest.mark.parametrize(("rate", "least"), [(0.005, 1e12), (0.01, 1.1e8), (0.015, 5e5), (0.02, 1.7e4)])
def test_so_many_requests_pass_until_a_false_alarm(rate, least):
    assert least <= run_length(rate) < 1e3 * least


def test_no_test_that_finds_five_percent_so_soon_holds_a_level_of_one_in_a_thousand_at_two_percent():
    from scipy.stats import binom

    fewest = next(c for c in range(800) if binom.sf(c - 1, 800, 0.02) <= 0.001)

    assert binom.sf(fewest - 1, 800, 0.05) < 0.97


def test_what_always_fails_is_found_by_its_tenth_request_however_long_all_was_well():
    for healthy in (0, 100, 100_000):
        watch = ErrorWatch(TOLERATED, ALPHA)
        watch.alarmed(Evidence(asked=healthy, failures=healthy // 100))

        found = next(n for n in range(1, 100) if watch.alarmed(Evidence(healthy + n, healthy // 100 + n)))

        assert found <= 10
        assert watch.said(Evidence(healthy + found, healthy // 100 + found)).startswith(f"{found} of the last {found}")


def test_the_watch_agrees_with_the_chain():
    rng = np.random.default_rng(1)
    found = [alarm_at(rng.random(400) < 0.05) is not None for _ in range(600)]

    expected = found_within(0.05, 400)
    assert np.mean(found) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 600))


@pytest.mark.parametrize("look", [1, 10, 50])
def test_a_change_after_a_hundred_thousand_healthy_requests_is_found_as_soon(look):
    rng, late = np.random.default_rng(2), 0
    for _ in range(200):
        watch = ErrorWatch(TOLERATED, ALPHA)
        watch.alarmed(Evidence(100_000, int(rng.binomial(100_000, 0.01))))
        began = watch._seen
        failed = np.cumsum(rng.random(800) < 0.05)
        looks = (Evidence(began.asked + n, began.failures + int(failed[n - 1])) for n in range(look, 801, look))
        late += not any(watch.alarmed(now) for now in looks)

    assert late <= 7  # 1 % of 200, and three standard errors


def test_counts_that_were_lost_are_no_failures_and_what_comes_after_them_is_watched():
    watch = ErrorWatch(TOLERATED, ALPHA)
    assert not watch.alarmed(Evidence(100_000, 500))

    assert not watch.alarmed(Evidence(40, 2))
    assert watch.alarmed(Evidence(50, 12))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60))
def test_looking_less_often_never_sounds_more_alarms(batches):
    rows = [failed for n, k in batches for failed in [True] * min(n, k) + [False] * max(n - k, 0)]
    often, seldom = alarm_at(rows), alarm_at(rows, look=7)

    assert seldom is None or (often is not None and often <= seldom)


@given(st.floats(0.0001, 0.99), st.floats(1e-6, 0.4))
def test_a_watch_of_any_tolerance_finds_what_always_fails_and_leaves_what_never_does(tolerated, alpha):
    assert alarm_at([True] * 20_000, look=500, watch=ErrorWatch(tolerated, alpha)) is not None
    assert alarm_at([False] * 1000, look=100, watch=ErrorWatch(tolerated, alpha)) is None


def evidence(latencies):
    return Evidence(timed=len(latencies), sum_ms=float(latencies.sum()), squares=float((latencies**2).sum()))


def slow_at(ours, theirs, cap_ms=250.0, alpha=ALPHA, look=20):
    """Number of the call at which the alarm sounds; None if it never does."""
    watch = LatencyWatch(0.5, alpha, cap_ms)
    sums = [np.stack([np.cumsum(x), np.cumsum(x * x)]) for x in (np.minimum(ours, cap_ms), np.minimum(theirs, cap_ms))]
    for n in range(look, min(len(ours), len(theirs)) + 1, look):
        if watch.alarmed(*(Evidence(timed=n, sum_ms=each[0, n - 1], squares=each[1, n - 1]) for each in sums)):
            return n
    return None


DRAWS = {
    "exponential": lambda rng, n: rng.exponential(20, n),
    "log-normal, sigma 1": lambda rng, n: 20 * rng.lognormal(-0.5, 1.0, n),
    "log-normal, sigma 1.5": lambda rng, n: 20 * rng.lognormal(-1.125, 1.5, n),
    "Pareto, exponent 1.5": lambda rng, n: 20 / 3 * rng.random(n) ** (-1 / 1.5),
    "stalls of 200 ms in 0.5 %": lambda rng, n: np.where(rng.random(n) < 0.005, 200.0, 10.0),
}


@pytest.mark.parametrize("name", DRAWS)
def test_equal_latencies_sound_no_alarm_and_four_times_as_long_ones_soon_do(name):
    rng, draw = np.random.default_rng(3), DRAWS[name]

    assert all(slow_at(draw(rng, 3000), draw(rng, 3000)) is None for _ in range(20))
    assert all((slow_at(draw(rng, 1500), 4 * draw(rng, 1500)) or 9999) <= 1500 for _ in range(20))


def test_a_slowdown_after_a_long_time_does_not_drown_in_it():
    rng = np.random.default_rng(4)
    ours, theirs = rng.exponential(20, 60_000), rng.exponential(20, 60_000)
    theirs[50_000:] *= 3

    found = slow_at(ours, theirs)

    assert found is not None
    assert found - 50_000 <= STRETCH + 1000


def test_a_slowdown_after_counts_were_lost_is_found():
    rng = np.random.default_rng(4)
    watch = LatencyWatch(0.5, ALPHA, 250.0)
    assert not watch.alarmed(evidence(rng.exponential(20, 5000)), evidence(rng.exponential(20, 5000)))
    assert not watch.alarmed(Evidence(), Evidence())

    assert watch.alarmed(evidence(rng.exponential(20, 400)), evidence(rng.exponential(80, 400)))


def test_a_few_milliseconds_more_are_no_reason():
    rng = np.random.default_rng(5)

    assert slow_at(rng.exponential(1.0, 20_000), rng.exponential(5.0, 20_000)) is None


@pytest.mark.long
def test_a_healthy_challenger_is_taken_off_less_than_once_in_ten_million_requests_simulated():
    rng, streams, length = np.random.default_rng(6), 20_000, 100_000
    excess, alarms = np.zeros(streams), 0
    for _ in range(length):
        excess = np.maximum(excess + (rng.random(streams, np.float32) < 0.01) - REFERENCE * TOLERATED, 0.0)
        over = np.flatnonzero(excess >= THRESHOLD)
        alarms += len(over)
        excess[over] = 0.0
    requests = streams * length

    print(f"\n1 %: {alarms} false alarms in {requests:.0e} requests; exact: one in {run_length(0.01):.3g}")
    assert alarms / requests < 1e-7


@pytest.mark.long
def test_five_percent_after_a_healthy_time_is_found_within_800_requests_simulated():
    rng, runs = np.random.default_rng(7), 100_000
    for healthy in (0, 10_000):
        excess, found = np.zeros(runs), np.full(runs, 10**9)
        for number in range(1, healthy + 2001):
            rate = 0.01 if number <= healthy else 0.05
            excess = np.maximum(excess + (rng.random(runs) < rate) - REFERENCE * TOLERATED, 0.0)
            if number > healthy:
                found = np.where((excess >= THRESHOLD) & (found > number), number - healthy, found)
        quantiles = np.quantile(found, [0.5, 0.9, 0.99, 0.999])
        print(f"\nafter {healthy} healthy requests: {np.mean(found <= 800):.4%} within 800; quantiles {quantiles}")
        assert np.mean(found <= 800) >= 0.99


@pytest.mark.long
@pytest.mark.parametrize("name", DRAWS)
def test_latencies_at_the_very_edge_keep_alpha_and_double_ones_are_found_simulated(name):
    rng, draw, alpha = np.random.default_rng(8), DRAWS[name], 0.01
    equal = sum(slow_at(draw(rng, 5000), draw(rng, 5000), alpha=alpha) is not None for _ in range(2000))
    edge = sum(slow_at(draw(rng, 5000), 1.5 * draw(rng, 5000) + 10, alpha=alpha) is not None for _ in range(2000))
    times = {
        factor: [slow_at(3 * draw(rng, 8000), 3 * factor * draw(rng, 8000), 1000.0) or 8001 for _ in range(300)]
        for factor in (2, 3, 4)
    }
    shown = {factor: np.quantile(found, [0.5, 0.9, 0.99], method="higher").tolist() for factor, found in times.items()}
    print(f"\n{name}: of 2000 at alpha 0.01 equal {equal}, at the edge {edge}; a mean of 60 ms times {shown} calls")
    assert equal <= 2000 * alpha
    assert edge <= 2000 * alpha
