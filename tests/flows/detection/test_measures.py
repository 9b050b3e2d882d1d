import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.detection.measures import (
    adjusted,
    by_chance_absent,
    decile_counts,
    homogeneity,
    ks,
    order_statistics,
    pooled,
    psi,
    share_change,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(finite | st.integers(-3, 3).map(float), min_size=2, max_size=80).map(lambda v: np.sort(np.array(v)))
counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12).map(
    lambda pairs: (np.array([float(a) for a, _ in pairs]), np.array([float(b) for _, b in pairs]))
)


@given(samples, samples)
def test_ks_agrees_with_scipy_on_any_two_samples(reference, current):
    theirs = stats.ks_2samp(reference, current, method="asymp")

    assert ks(reference, current) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-12)


@given(samples)
def test_a_sample_does_not_differ_from_itself(sample):
    assert ks(sample, sample) == (0.0, 1.0)


@given(samples, samples)
def test_ks_does_not_ask_who_came_first(reference, current):
    assert ks(reference, current) == pytest.approx(ks(current, reference), abs=1e-12)


@pytest.mark.parametrize("law", ["normal", "lognormal", "whole numbers", "one value in two"])
@pytest.mark.parametrize("n", [1001, 1002, 2500, 31_337])
def test_ks_from_quantiles_is_within_a_thousandth_and_never_too_sure(law, n):
    dice = np.random.default_rng(n)
    draw = {
        "normal": lambda size: dice.normal(size=size),
        "lognormal": lambda size: dice.lognormal(0, 3, size),
        "whole numbers": lambda size: dice.poisson(4, size).astype(float),
        "one value in two": lambda size: np.where(dice.random(size) < 0.5, 7.0, dice.normal(size=size)),
    }[law]
    reference, current = np.sort(draw(n)), np.sort(draw(800) + 0.05)
    d, p = ks(order_statistics(reference, 1001), current, n=n)
    theirs = stats.ks_2samp(reference, current, method="asymp")

    assert d == pytest.approx(theirs.statistic, abs=1 / 1000 + 1e-12)
    assert p >= theirs.pvalue - 1e-12


@given(counts)
def test_psi_is_symmetric_and_never_negative(pair):
    ours, theirs = psi(*pair), psi(*reversed(pair))

    assert ours == pytest.approx(theirs)
    assert min(ours) >= 0


@given(counts, st.integers(0, 5))
def test_bins_that_nobody_is_in_change_no_psi(pair, empty):
    padded = [np.append(side, np.zeros(empty)) for side in pair]

    assert psi(*padded) == pytest.approx(psi(*pair))


def test_psi_of_equal_shares_is_zero_whatever_the_sizes():
    assert psi(np.array([300.0, 0.0, 700.0]), np.array([30.0, 0.0, 70.0]))[0] == 0


def test_psi_says_how_large_it_is_by_chance():
    # 200 levels, 5,000 rows against 1,000: 0.24 on the mean, beyond every usual threshold, and no drift at all.
    dice, k = np.random.default_rng(1), 200
    pairs = [(dice.multinomial(5000, [1 / k] * k) * 1.0, dice.multinomial(1000, [1 / k] * k) * 1.0) for _ in range(300)]
    found = np.array([psi(*pair) for pair in pairs])

    assert found[:, 0].mean() > 0.2
    assert (found[:, 0] > found[:, 1]).mean() < 0.03


@given(samples, samples)
def test_deciles_count_every_value_once(reference, current):
    ours, theirs = decile_counts(reference, current, 10 * reference.size)

    assert ours.sum() == pytest.approx(10 * reference.size)
    assert theirs.sum() == current.size
    assert 2 <= ours.size <= 11


def test_deciles_of_a_constant_know_below_equal_and_above():
    ours, theirs = decile_counts(np.full(50, 3.0), np.array([1.0, 3.0, 3.0, 9.0]), 50)

    assert (ours.tolist(), theirs.tolist()) == ([0, 50, 0], [1, 2, 1])


def test_deciles_of_a_mostly_constant_column_see_values_below_its_least():
    reference = np.sort(np.concatenate([np.zeros(900), np.arange(1.0, 101.0)]))

    assert psi(*decile_counts(reference, np.full(100, -5.0), 1000))[0] > 1


@given(samples, st.integers(2, 40))
def test_order_statistics_are_those_of_numpy(values, count):
    steps = np.arange(count) / (count - 1)
    close = np.abs(steps * values.size - np.round(steps * values.size)) < 1e-9
    theirs = np.quantile(np.arange(values.size), steps, method="inverted_cdf")

    ours = order_statistics(np.arange(float(values.size)), count)

    assert np.all((ours == theirs) | close)
    assert (ours[0], ours[-1]) == (0, values.size - 1)
    found = order_statistics(values, count)
    assert np.all(found[1:] >= found[:-1])


tables = st.lists(st.tuples(st.integers(10, 900), st.integers(10, 900)), min_size=2, max_size=10).map(
    lambda pairs: (np.array([float(a) for a, _ in pairs]), np.array([float(b) for _, b in pairs]))
)


@given(tables)
def test_homogeneity_agrees_with_scipy_where_no_level_is_rare(pair):
    theirs = stats.chi2_contingency(np.vstack(pair), correction=False)
    least = min(theirs.expected_freq.ravel())
    if least < 5:
        return

    assert homogeneity(*pair)[1] == pytest.approx(theirs.pvalue)


@given(tables)
def test_v_is_cramers_where_both_samples_are_equally_large(pair):
    reference, current = pair[0], np.random.default_rng(0).permutation(pair[0])

    assert homogeneity(reference, current)[0] == pytest.approx(
        stats.contingency.association(np.vstack([reference, current]).astype(int), method="cramer"), abs=1e-9
    )


@given(counts)
def test_homogeneity_gives_a_share_and_a_probability_for_any_counts(pair):
    seen = pair[0] + pair[1] > 0
    v, p = homogeneity(pair[0][seen], pair[1][seen])

    assert 0 <= v <= 1 + 1e-12
    assert 0 <= p <= 1


def test_v_of_samples_without_a_common_level_is_one():
    assert homogeneity(np.array([90.0, 10.0, 0.0]), np.array([0.0, 0.0, 40.0]))[0] == pytest.approx(1)


def test_v_does_not_fall_because_the_reference_is_long():
    short, long = np.array([50.0, 50.0]), np.array([50_000.0, 50_000.0])

    assert homogeneity(short, np.array([70.0, 30.0]))[0] == homogeneity(long, np.array([70.0, 30.0]))[0]


def test_a_level_too_rare_for_chi_square_is_tested_exactly():
    # Chi-square takes three rows where 0.2 are expected for a greater wonder than they are.
    reference, current = np.array([25_000.0, 24_995.0, 5.0]), np.array([498.0, 499.0, 3.0])
    exact = stats.fisher_exact(np.array([[5, 49_995], [3, 997]])).pvalue

    assert stats.chi2_contingency(np.vstack([reference, current])).pvalue < exact / 10
    assert homogeneity(reference, current)[1] == pytest.approx(2 * exact)


@pytest.mark.parametrize(
    ("shares", "n", "m"),
    [
        ([0.5, 0.4996, 0.0004], 50_000, 1000),
        ([0.5, 0.49, *[0.001] * 10], 50_000, 1000),
        ([1 / 200] * 200, 5000, 1000),
        ([0.97, 0.03], 200, 100),
    ],
    ids=["a rare level", "a long tail", "200 levels", "few rows"],
)
def test_homogeneity_is_rarely_alarmed_without_drift(shares, n, m):
    dice, names = np.random.default_rng(5), [str(i) for i in range(len(shares))]

    def counted(size):
        return dict(zip(names, dice.multinomial(size, shares).tolist(), strict=True))

    p = np.array([homogeneity(*pooled(counted(n), counted(m)))[1] for _ in range(600)])

    assert (p < 0.01).mean() <= 0.025
    assert (p < 0.001).mean() <= 0.01


@pytest.mark.parametrize(("n", "m"), [(50_000, 10_000), (20_000, 20_000)])
def test_a_cut_off_profile_of_thousands_of_levels_is_no_drift(n, m):
    # Its 1,000 most frequent levels are, by luck, more frequent in it than in the next sample.
    dice, k = np.random.default_rng(3), 3000
    alarms = 0
    for _ in range(60):
        was, now = dice.multinomial(n, [1 / k] * k), dice.multinomial(m, [1 / k] * k)
        kept = np.argsort(-was, kind="stable")[:1000]
        reference = {str(i): int(was[i]) for i in kept}
        current = {str(i): int(seen) for i, seen in enumerate(now) if seen}
        alarms += homogeneity(*pooled(reference, current, n - sum(reference.values())))[1] < 0.01

    assert alarms <= 4


levels = st.dictionaries(st.text(max_size=2), st.integers(1, 300), max_size=30)


@given(levels, levels, st.integers(0, 100))
def test_pooling_loses_no_row(reference, current, rest):
    ours, theirs = pooled(reference, current, rest)

    assert (ours.sum(), theirs.sum()) == (sum(reference.values()) + rest, sum(current.values()))
    assert np.all(ours + theirs > 0)


@given(levels, levels)
def test_pooling_does_not_ask_who_came_first(reference, current):
    ours, theirs = pooled(reference, current)
    there, here = pooled(current, reference)

    assert sorted(zip(ours, theirs, strict=True)) == sorted(zip(here, there, strict=True))


def test_levels_that_a_cut_off_profile_does_not_name_are_its_rest():
    ours, theirs = pooled({"a": 898, "b": 2}, {"a": 90, "new": 10}, 100)

    assert (ours.tolist(), theirs.tolist()) == ([898, 102], [90, 10])


shares = st.tuples(st.integers(0, 300), st.integers(0, 300))


@given(shares, shares)
def test_a_change_of_share_agrees_with_scipy(reference, current):
    (a, x), (b, y) = reference, current
    change, p = share_change((a, a + x), (b, b + y))

    assert 0 <= p <= 1
    assert -1 <= change <= 1
    if (a + b) and (x + y) and (a + x) and (b + y):
        assert p == pytest.approx(stats.chi2_contingency([[a, x], [b, y]], correction=True).pvalue)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_values_are_those_of_scipy_and_never_smaller(p_values):
    found = adjusted(p_values)

    assert found == (stats.false_discovery_control(p_values).tolist() if p_values else [])
    assert all(q >= p for q, p in zip(found, p_values, strict=True))


@given(st.integers(1, 30), st.integers(1, 2000), st.integers(0, 2000))
def test_the_chance_that_a_level_hides_is_bounded_from_above(seen, here, there):
    seen = min(seen, here)
    exact = stats.hypergeom.pmf(seen, here + there, seen, here)

    assert by_chance_absent(seen, here, there) >= exact * (1 - 1e-9)
