"""
Peeking at equal arms: every always-valid test, at even and uneven splits, from the first look it answers.

The long simulations print the tables that docs/statistics/anytime.md quotes.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import betaln

from flows.stats.moments import CoMoments
from flows.stats.sequential.arms import arms
from flows.stats.sequential.asymptotic import (
    MIN_ASYMPTOTIC,
    MIN_EVENTS,
    MIN_PAIRED,
    paired_sequence,
    relative_sequence,
    two_sample_sequence,
    unit_paired_sequence,
    unit_relative_sequence,
    unit_sequence,
)
from flows.stats.sequential.discrete import Tally, log_wealth
from flows.stats.sequential.mixture import log_p, tuning
from flows.stats.sequential.pairs import discordant_trace
from flows.stats.sequential.rates import two_rates_sequence

Floats = NDArray[np.float64]
ALPHA = 0.05
LOG_ALPHA = math.log(ALPHA)


class Seen(NamedTuple):
    """Cumulative moments of many runs: n of shape (1, looks), the others (runs, looks)."""

    n: Floats
    mean: Floats
    m2: Floats


def bound(runs: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


# --- Draws -----------------------------------------------------------------------------------------------------


def increments(kind: str, size: int, runs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Sums and sums of squares of *size* new values in each run; never of values far from 0."""
    if kind in ("normal", "normal + 1"):
        mean = rng.standard_normal(runs) / math.sqrt(size) + (kind == "normal + 1")
        return size * mean, size * mean**2 + (rng.chisquare(size - 1, runs) if size > 1 else 0.0)
    if kind in ("exponential", "exponential - 1", "lognormal"):
        block = max(1, 4_000_000 // size)
        parts = [raw(kind, (min(block, runs - at), size), rng) for at in range(0, runs, block)]
        return np.concatenate([x.sum(1) for x in parts]), np.concatenate([(x * x).sum(1) for x in parts])
    hits = rng.binomial(size, float(kind), runs).astype(float)
    return hits, hits


def raw(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    if kind == "lognormal":
        return np.exp(rng.standard_normal(shape))
    return rng.standard_exponential(shape) - (kind == "exponential - 1")


def draw(kind: str, ns: NDArray[np.int64], runs: int, rng: np.random.Generator) -> Seen:
    parts = [increments(kind, int(size), runs, rng) for size in np.diff(ns, prepend=0)]
    total, squares = (np.cumsum([part[i] for part in parts], axis=0).T for i in (0, 1))
    n = ns[None, :].astype(float)
    return Seen(n, total / n, np.maximum(squares - total**2 / n, 0.0))


def schedules(first: int, horizon: int, step: int, looks: int) -> dict[str, NDArray[np.int64]]:
    """Looks at even distances, at even ratios, and at every small step from the first look that is answered."""
    found = {
        "even": np.linspace(horizon / looks, horizon, looks),
        "log": np.geomspace(first, horizon, looks),
        "early": first + step * np.arange(looks),
    }
    return {name: np.unique(np.round(at)).astype(np.int64) for name, at in found.items()}


# --- The tests on arrays: the same kernels and start rules as the public functions ------------------------------


def effective(seen: Seen) -> Floats:
    square = seen.mean**2 + seen.m2 / seen.n
    return np.divide(seen.n * seen.mean**2, square, out=np.zeros_like(square), where=square > 0)


def absolute(ours: Seen, theirs: Seen, tuned_to: float) -> Floats:
    """Log p-values as of `two_sample_sequence`."""
    v1, v2 = ours.m2 / (ours.n - 1), theirs.m2 / (theirs.n - 1)
    error, time = arms(ours.n, v1, theirs.n, v2, (ours.m2 + theirs.m2) / (ours.n + theirs.n - 2))
    ready = (np.minimum(ours.n, theirs.n) >= MIN_ASYMPTOTIC) & (v1 + v2 > 0)
    return judged(theirs.mean - ours.mean, error, time, ready, tuned_to)


def relative(ours: Seen, theirs: Seen, tuned_to: float) -> Floats:
    """Log p-values as of `relative_sequence`."""
    events = np.minimum(effective(ours), effective(theirs))
    ready = (np.minimum(ours.n, theirs.n) >= MIN_ASYMPTOTIC) & (ours.m2 + theirs.m2 > 0) & (events >= MIN_EVENTS)
    ready &= (ours.mean > 0) & (theirs.mean > 0)
    m1, m2 = (np.where(ready, seen.mean, 1.0) for seen in (ours, theirs))
    middle = (ours.n * m1 + theirs.n * m2) / (ours.n + theirs.n)
    pooled = (ours.m2 + theirs.m2) / (ours.n + theirs.n - 2) / middle**2
    guard = np.minimum(1.0, 25 / np.maximum(events, 1e-9))
    error, time = arms(
        ours.n, ours.m2 / (ours.n - 1) / m1**2, theirs.n, theirs.m2 / (theirs.n - 1) / m2**2, pooled, guard
    )
    return judged(np.log(m2 / m1), error, time, ready, tuned_to)


def paired(seen: Seen, tuned_to: float) -> Floats:
    """Log p-values as of `paired_sequence`."""
    error = np.sqrt(seen.m2 / (seen.n - 1) / seen.n)
    time = np.broadcast_to(seen.n, error.shape)
    return judged(seen.mean, error, time, (seen.n >= MIN_PAIRED) & (error > 0), tuned_to)


def judged(estimate: Floats, error: Floats, time: Floats, ready: NDArray[np.bool_], tuned_to: float) -> Floats:
    z2 = np.divide(estimate, error, out=np.zeros_like(error), where=ready & (error > 0)) ** 2
    return np.where(ready, log_p(z2, time, alpha=ALPHA, tuned_to=tuned_to), 0.0)


def rates(ours: Seen, theirs: Seen, share: Floats | float, tuned_to: float) -> Floats:
    """Log p-values as of `two_rates_sequence`."""
    won1, won2, total = ours.n * ours.mean, theirs.n * theirs.mean, ours.n + theirs.n
    failures = 2 * (won1 + won2) > total
    rare1, rare2 = np.where(failures, ours.n - won1, won1), np.where(failures, theirs.n - won2, won2)
    size = 1 / tuning(ALPHA, tuned_to)
    a, b = size * share, size * (1 - np.asarray(share))
    log_e = betaln(a + rare2, b + rare1) - betaln(a, b) - rare2 * np.log(share) - rare1 * np.log1p(-np.asarray(share))
    return np.minimum(0.0, -log_e)


def alarm(log_ps: Floats) -> float:
    """Share of runs that reject at any look."""
    return float(np.mean((log_ps <= LOG_ALPHA).any(axis=1)))


# --- Small versions, in every run of the tests ------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from((1, 2, 19)), st.sampled_from(("exponential", "normal + 1", "0.05")))
def test_the_arrays_simulated_are_what_the_functions_answer(seed, split, kind):
    rng = np.random.default_rng(seed)
    ns = np.array([10, 40, 150])
    ours, theirs = draw(kind, ns * split, 1, rng), draw(kind, ns, 1, rng)
    for look, n in enumerate(ns):
        a = (int(n) * split, float(ours.mean[0, look]), float(ours.m2[0, look]))
        b = (int(n), float(theirs.mean[0, look]), float(theirs.m2[0, look]))
        for array, function in ((absolute, two_sample_sequence), (relative, relative_sequence)):
            assert array(ours, theirs, 200)[0, look] == pytest.approx(function(a, b, tuned_to=200).log_p, abs=1e-9)
        assert paired(theirs, 200)[0, look] == pytest.approx(paired_sequence(b, tuned_to=200).log_p, abs=1e-9)
        if kind == "0.05" and (ours.m2 + theirs.m2)[0, look] > 0:
            found = two_rates_sequence((round(a[0] * a[1]), a[0]), (round(b[0] * b[1]), b[0]))
            assert rates(ours, theirs, 1 / (1 + split), 50)[0, look] == pytest.approx(found.log_p, abs=1e-6)


@pytest.mark.parametrize("split", [1, 19])
@pytest.mark.parametrize(("kind", "horizon"), [("normal + 1", 600), ("0.5", 600), ("0.01", 6000), ("0.002", 20_000)])
def test_a_thousand_runs_of_peeking_stay_within_alpha(kind, horizon, split):
    rng = np.random.default_rng(11)
    for ns in schedules(MIN_ASYMPTOTIC, horizon, 2, 60).values():
        ours, theirs = draw(kind, ns * split, 1000, rng), draw(kind, ns, 1000, rng)

        assert alarm(absolute(ours, theirs, 100)) <= bound(1000)
        assert alarm(relative(ours, theirs, 100)) <= bound(1000)
        if kind[0] == "0":
            assert alarm(rates(ours, theirs, 1 / (1 + split), 50)) <= bound(1000)


def ramped(kind: str, runs: int, rng: np.random.Generator) -> tuple[Seen, Seen]:
    """A canary of 5, 10, 25 and 50 % in turn, 25 looks each, 1,000 values a look."""
    shares = np.repeat((0.05, 0.1, 0.25, 0.5), 25)
    theirs = np.cumsum(np.round(1000 * shares)).astype(np.int64)
    return draw(kind, 1000 * np.arange(1, 101) - theirs, runs, rng), draw(kind, theirs, runs, rng)


@pytest.mark.parametrize("kind", ["normal + 1", "0.5", "0.01", "0.002"])
def test_a_ramp_from_five_to_fifty_percent_stays_within_alpha(kind):
    ours, theirs = ramped(kind, 2000, np.random.default_rng(14))
    for tuned_to in (100, 5000):
        assert alarm(absolute(ours, theirs, tuned_to)) <= bound(2000)
        assert alarm(relative(ours, theirs, tuned_to)) <= bound(2000)


def test_without_the_pooled_error_a_small_arm_would_alarm_far_too_often():
    ns = np.unique(np.geomspace(30, 6000, 60)).astype(np.int64)
    rng = np.random.default_rng(12)
    ours, theirs = draw("0.01", ns * 19, 1000, rng), draw("0.01", ns, 1000, rng)
    error = np.sqrt(ours.m2 / ours.n**2 + theirs.m2 / theirs.n**2)
    time = np.broadcast_to(2 * 0.95 * theirs.n, error.shape)

    assert alarm(judged(theirs.mean - ours.mean, error, time, error > 0, 500)) > 0.4
    assert alarm(absolute(ours, theirs, 500)) <= bound(1000)


def test_the_interval_of_pairs_holds_the_true_difference_at_all_looks():
    rng = np.random.default_rng(13)
    missed = sum(misses(rng, 400, 8, 0.025, 0.035) for _ in range(60))

    assert missed / 60 <= bound(60)


def misses(rng: np.random.Generator, pairs: int, looks: int, lost: float, won: float) -> bool:
    """Whether the exact interval ever excludes the true difference."""
    counts = np.cumsum(rng.multinomial(pairs // looks, (lost, 1 - lost - won, won), looks), axis=0)
    place = (1 + won - lost) / 2
    return any(log_wealth(Tally((0.0, 0.5, 1.0), tuple(map(int, row))), place, 2.0) >= -LOG_ALPHA for row in counts)


# --- Long versions ----------------------------------------------------------------------------------------------

RUNS = 10_000
# Distribution, horizon of the smaller arm, smallest step of early looks.
CELLS = (
    ("normal", 2000, 1),
    ("normal + 1", 2000, 1),
    ("exponential", 1000, 1),
    ("lognormal", 500, 1),
    ("0.5", 2000, 1),
    ("0.01", 20_000, 10),
    ("0.002", 100_000, 50),
)


def two_arm_alarms(kind: str, horizon: int, step: int, split: int, seed: int) -> Iterator[tuple[str, str, float]]:
    """Method, schedule and alarm rate; the worst over three tunings."""
    rng = np.random.default_rng(seed)
    for schedule, ns in schedules(MIN_ASYMPTOTIC, horizon, step, 100).items():
        ours, theirs = draw(kind, ns * split, RUNS, rng), draw(kind, ns, RUNS, rng)
        tunings = (30, 500, horizon)
        yield "absolute", schedule, max(alarm(absolute(ours, theirs, t)) for t in tunings)
        if kind != "normal":
            yield "relative", schedule, max(alarm(relative(ours, theirs, t)) for t in tunings)
        if kind[0] == "0":
            share = 1 / (1 + split)
            yield "rates", schedule, max(alarm(rates(ours, theirs, share, t)) for t in (16, 50, 500))


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("split", [1, 19])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell[0])
def test_ten_thousand_runs_of_a_hundred_looks_at_two_equal_arms(cell, split):
    found = list(two_arm_alarms(*cell, split, seed=21))
    for method, schedule, rate in found:
        print(f"| {cell[0]} | {'50/50' if split == 1 else '95/5'} | {method} | {schedule} | {rate:.2%} |")

    assert max(rate for _, _, rate in found) <= bound(RUNS)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["normal", "exponential - 1"])
def test_ten_thousand_runs_of_a_hundred_looks_at_differences(kind):
    rng = np.random.default_rng(22)
    for schedule, ns in schedules(MIN_PAIRED, 3000, 1, 100).items():
        seen = draw(kind, ns, RUNS, rng)
        found = max(alarm(paired(seen, t)) for t in (100, 500, 5000))
        print(f"| {kind} | pairs | {schedule} | {found:.2%} |")

        assert found <= bound(RUNS)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("discordance", [0.5, 0.06, 0.01, 0.002])
def test_ten_thousand_runs_of_a_hundred_looks_at_equal_models(discordance):
    rng = np.random.default_rng(26)
    for schedule, ns in schedules(2, round(600 / discordance), 1, 100).items():
        unequal = rng.binomial(np.diff(ns, prepend=0), discordance, (RUNS, ns.size))
        won = np.cumsum(rng.binomial(unequal, 0.5), axis=1)
        lost = np.cumsum(unequal, axis=1) - won
        n, total = ns[None, :].astype(float), (won - lost).astype(float)
        seen = Seen(n, total / n, won + lost - total**2 / n)
        found = {"asymptotic": max(alarm(paired(seen, t)) for t in (100, 500, 5000))}
        for a in (1.0, 20.0):
            rejected = [min(discordant_trace(x, y, a=a)[1]) <= LOG_ALPHA for x, y in zip(lost, won, strict=True)]
            found[f"exact, a = {a:.0f}"] = float(np.mean(rejected))
        for name, rate in found.items():
            print(f"| {discordance} | equal models | {schedule}, {name} | {rate:.2%} |")

        assert max(found.values()) <= bound(RUNS)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("split", [(0.5, 1), (0.05, 19)], ids=["50/50", "95/5"])
@pytest.mark.parametrize("rate", [0.5, 0.01, 0.002])
def test_two_rates_stay_within_alpha_when_the_share_is_only_seen(rate, split):
    share, _ = split
    rng, found = np.random.default_rng(23), {}
    for schedule, ns in schedules(2, round(200 / rate), 1, 100).items():
        step = np.diff(np.round(ns / share).astype(np.int64), prepend=0)
        theirs_n = rng.binomial(step, share, (RUNS, step.size))
        won2 = np.cumsum(rng.binomial(theirs_n, rate), axis=1).astype(float)
        won1 = np.cumsum(rng.binomial(step - theirs_n, rate), axis=1).astype(float)
        n2 = np.cumsum(theirs_n, axis=1).astype(float)
        n1 = np.cumsum(step)[None, :] - n2
        both = (n1 > 0) & (n2 > 0)
        n1, n2 = np.where(both, n1, 1.0), np.where(both, n2, 1.0)
        ours, theirs = Seen(n1, won1 / n1, won1), Seen(n2, won2 / n2, won2)
        for name, w in (("known", share), ("seen", n2 / (n1 + n2))):
            found[f"{schedule}, {name}"] = max(
                alarm(np.where(both, rates(ours, theirs, w, t), 0.0)) for t in (16, 50, 500)
            )
    for name, value in found.items():
        print(f"| {rate} | {share} | {name} | {value:.2%} |")

    assert max(found.values()) <= bound(RUNS)


def keyed(ns: NDArray[np.int64], runs: int, rng: np.random.Generator) -> Floats:
    """Sums over keys at each look, shape (5, runs, looks): x, y, x x, y y, x y; x requests, y successes of a key."""
    x = 1 + rng.geometric(0.3, (runs, int(ns[-1])))
    y = rng.binomial(x, rng.beta(1.5, 3.5, x.shape))
    return np.array([np.cumsum(v, axis=1, dtype=float)[:, ns - 1] for v in (x, y, x * x, y * y, x * y)])


def ratio(ns: NDArray[np.int64], sums: Floats, centre: float = 0.0) -> Seen:
    """Ratios sum(y) / sum(x) less a constant, and n - 1 times the variance that one key adds."""
    n, (x, y, xx, yy, xy) = ns[None, :].astype(float), sums
    found = y / x
    rest = yy - 2 * found * xy + found**2 * xx
    return Seen(n, found - centre, np.maximum(rest, 0.0) / (x / n) ** 2)


def co_moments(n: int, sums: Floats) -> CoMoments:
    x, y, xx, yy, xy = map(float, sums)
    return CoMoments(n, x / n, y / n, xx - x * x / n, yy - y * y / n, xy - x * y / n)


@given(st.integers(0, 2**32 - 1), st.sampled_from((1, 19)))
def test_the_arrays_of_keys_are_what_the_functions_answer(seed, split):
    rng, ns = np.random.default_rng(seed), np.array([40, 120])
    ours, theirs = keyed(ns * split, 1, rng), keyed(ns, 1, rng)
    one, two = co_moments(120 * split, ours[:, 0, 1]), co_moments(120, theirs[:, 0, 1])
    sides = ratio(ns * split, ours), ratio(ns, theirs)

    assert absolute(*sides, 99)[0, 1] == pytest.approx(unit_sequence(one, two, tuned_to=99).log_p, abs=1e-9)
    assert relative(*sides, 99)[0, 1] == pytest.approx(unit_relative_sequence(one, two, tuned_to=99).log_p, abs=1e-9)
    assert paired(sides[1], 99)[0, 1] == pytest.approx(unit_paired_sequence(two, tuned_to=99).log_p, abs=1e-9)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("split", [1, 19])
def test_ten_thousand_runs_of_a_hundred_looks_at_keys_with_many_requests(split):
    """Requests per key vary and share their key's mood."""
    rng, batch = np.random.default_rng(24), 500
    for schedule, ns in schedules(MIN_ASYMPTOTIC, 600, 1, 100).items():
        found: dict[str, list[float]] = {"difference": [], "relative": [], "paired": []}
        for _ in range(RUNS // batch):
            ours, theirs = (ratio(at, keyed(at, batch, rng)) for at in (ns * split, ns))
            even = theirs._replace(mean=theirs.mean - 0.3)
            found["difference"].append(alarm(absolute(ours, theirs, 100)))
            found["relative"].append(alarm(relative(ours, theirs, 100)))
            found["paired"].append(alarm(paired(even, 100)))
        for name, shares in found.items():
            print(f"| keys | {'50/50' if split == 1 else '95/5'} | {name} | {schedule} | {np.mean(shares):.2%} |")

            assert np.mean(shares) <= bound(RUNS)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_the_interval_of_pairs_covers_at_every_difference():
    rng = np.random.default_rng(25)
    for lost, won, pairs in ((0.025, 0.035, 4000), (0.001, 0.003, 4000), (0.2, 0.4, 400)):
        missed = sum(misses(rng, pairs, 40, lost, won) for _ in range(1000)) / 1000
        print(f"| pairs | lost {lost}, won {won} | missed {missed:.2%} |")

        assert missed <= bound(1000)


# --- Power ------------------------------------------------------------------------------------------------------


def shifted(seen: Seen, by: float) -> Seen:
    return seen._replace(mean=seen.mean + by)


def power(kind: str, horizon: int, split: int, seed: int, runs: int = 10_000) -> dict[str, float]:
    """Power of sequences over 100 looks as a share of that of one z-test at the horizon; both directions joined."""
    rng = np.random.default_rng(seed)
    ns = np.unique(np.linspace(horizon / 100, horizon, 100).astype(np.int64))
    found: dict[str, list[float]] = {}
    for sign in (1, -1):
        ours = draw(kind, ns * split, runs, rng)
        variance = float(kind) * (1 - float(kind)) if kind[0] == "0" else 1.0
        effect = sign * 2.801585 * math.sqrt(variance / horizon * (1 + 1 / split))
        theirs = draw(f"{float(kind) + effect}" if kind[0] == "0" else kind, ns, runs, rng)
        theirs = theirs if kind[0] == "0" else shifted(theirs, effect)
        last = [(seen.mean[:, -1], seen.m2[:, -1] / seen.n[0, -1] ** 2) for seen in (ours, theirs)]
        z = (last[1][0] - last[0][0]) / np.sqrt(last[0][1] + last[1][1])
        even = 2 * horizon * split / (1 + split)
        ways = {"fixed": float(np.mean(abs(z) > 1.959964)), "absolute": alarm(absolute(ours, theirs, even))}
        if kind != "normal":
            ways["relative"] = alarm(relative(ours, theirs, even))
        if kind[0] == "0":
            events = (split + 1) * horizon * min(float(kind), 1 - float(kind))
            ways["rates"] = alarm(rates(ours, theirs, 1 / (1 + split), events))
        for name, value in ways.items():
            found.setdefault(name, []).append(value)
    fixed = np.mean(found["fixed"])
    return {name: float(np.mean(values) / fixed) for name, values in found.items()} | {"fixed": float(fixed)}


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_sequences_keep_two_thirds_of_the_power_of_one_look():
    cells = (("normal", 1000), ("normal + 1", 1000), ("exponential", 1000), ("0.5", 2000), ("0.1", 4000))
    for split in (1, 19):
        for kind, horizon in (*cells, ("0.01", 40_000), ("0.002", 200_000)):
            found = power(kind, horizon, split, 31)
            shown = " | ".join(f"{name} {value:.1%}" for name, value in found.items())
            print(f"| {kind} | {'50/50' if split == 1 else '95/5'} | {shown} |")
            if split == 1:
                assert found["absolute"] >= 0.64


def test_a_sequence_keeps_most_of_the_power_of_one_look():
    assert power("normal", 400, 1, 32, runs=2000)["absolute"] >= 0.6
