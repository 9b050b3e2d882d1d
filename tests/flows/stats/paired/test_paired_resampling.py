"""Bootstrap and sign flips: agreement with scipy, speed, memory and honest edges."""

import math
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score

from flows.stats.paired.bca import PERCENTILE, bounds, log_p_of_zero, shape_of
from flows.stats.paired.binary import mcnemar_log_p
from flows.stats.paired.bootstrap import bootstrap, bootstrap_mean, bootstrap_sums, resampled_sums
from flows.stats.paired.flips import sign_flip, sign_flip_mean, sign_flip_sums
from flows.stats.paired.losses import clustered_mean, paired_mean
from flows.stats.paired.ranking import auc, delong
from flows.stats.paired.sums import (
    calibration_of,
    calibration_rows,
    confusion_rows,
    f1_of,
    mean_of,
    mean_rows,
    percentage_error_rows,
    precision_of,
    recall_of,
)


def forecasts(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return y, (rng.uniform(size=n) < 0.2 + 0.5 * y) * 1, (rng.uniform(size=n) < 0.2 + 0.6 * y) * 1


# --- Metrics of sums


@given(st.integers(0, 2**20))
def test_metrics_of_sums_agree_with_sklearn(seed):
    y, p, _ = forecasts(30, seed)
    sums = confusion_rows(y, p).sum(axis=0)

    if y.any() and p.any():
        assert float(f1_of(sums)) == pytest.approx(f1_score(y, p))
        assert float(precision_of(sums)) == pytest.approx(precision_score(y, p))
        assert float(recall_of(sums)) == pytest.approx(recall_score(y, p))


def test_calibration_is_the_gap_of_each_bin_weighted_by_its_rows():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=400)
    y = (rng.uniform(size=400) < p**2) * 1
    gap = sum(abs((p - y)[(p * 10).astype(int) == k].sum()) for k in range(10)) / 400

    assert float(calibration_of(calibration_rows(y, p).sum(axis=0))) == pytest.approx(-gap)


def test_a_percentage_of_zero_is_refused_by_count():
    with pytest.raises(ValueError, match=r"actual has 2 of 3 zeros"):
        percentage_error_rows([0, 1, 0], [1, 1, 1])


# --- Bootstrap


@pytest.mark.parametrize("digits", [0, 9])
def test_the_bca_interval_is_that_of_scipy_on_the_same_replicates(digits):
    rng = np.random.default_rng(2)
    gains = (rng.exponential(size=40) - 0.8).round(digits)
    drawn = resampled_sums(mean_rows(gains), np.random.default_rng(3), 3000)[:, 0] / 40
    left_out = (gains.sum() - gains) / 39

    given_replicates = SimpleNamespace(bootstrap_distribution=drawn)
    for method, shape in (("BCa", shape_of(drawn, gains.mean(), left_out)), ("percentile", PERCENTILE)):
        reference = stats.bootstrap(
            (gains,), np.mean, n_resamples=0, bootstrap_result=given_replicates, method=method, vectorized=True
        ).confidence_interval
        assert bounds(drawn, shape, 0.95) == pytest.approx(tuple(reference), rel=1e-9)


def test_the_interval_and_its_p_agree_at_the_edge():
    rng = np.random.default_rng(4)
    drawn = rng.normal(size=99_999) ** 2 - 0.3
    shape = shape_of(drawn, float(np.median(drawn)) + 0.1, rng.exponential(size=50))

    for shift in np.quantile(drawn, [0.01, 0.2, 0.9, 0.95]):
        p = math.exp(log_p_of_zero(drawn - shift, shape))
        low, high = bounds(drawn - shift, shape, 1 - p)
        assert min(abs(low), abs(high)) < 5e-3


@pytest.mark.parametrize("interval", ["bca", "percentile"])
def test_the_three_bootstraps_agree_with_each_other_and_with_scipy(interval):
    y, a, b = forecasts(300)
    right_a, right_b = (a == y) * 1.0, (b == y) * 1.0

    by_sums = bootstrap_sums(
        mean_rows(right_a), mean_rows(right_b), mean_of, seed=1, replicates=5000, interval=interval
    )
    by_mean = bootstrap_mean(right_a, right_b, seed=2, replicates=5000, interval=interval)
    by_call = bootstrap(y, a, b, lambda y, p: float(np.mean(y == p)), seed=3, replicates=5000, interval=interval)
    reference = stats.bootstrap(
        (right_a, right_b),
        lambda x, z, axis: z.mean(axis=axis) - x.mean(axis=axis),
        paired=True,
        n_resamples=5000,
        method=interval,
        rng=4,
    ).confidence_interval

    for effect in (by_sums, by_mean, by_call):
        assert effect.estimate == pytest.approx(np.mean(right_b - right_a))
        assert (effect.low, effect.high) == pytest.approx(tuple(reference), abs=0.008)


def test_few_kinds_of_rows_are_drawn_as_counts_with_the_same_distribution():
    y, a, _ = forecasts(500)
    rows = confusion_rows(y, a)
    unlike = rows + np.arange(500)[:, None] * 1e-12

    few, many = (resampled_sums(given, np.random.default_rng(5), 4000) for given in (rows, unlike))

    assert few.mean(axis=0) == pytest.approx(many.mean(axis=0), rel=0.01)
    assert np.cov(few.T) == pytest.approx(np.cov(many.T), rel=0.15, abs=6)


def test_the_same_seed_gives_the_same_answer():
    y, a, b = forecasts(100)
    rows = confusion_rows(y, a), confusion_rows(y, b)

    assert bootstrap_sums(*rows, f1_of, seed=9) == bootstrap_sums(*rows, f1_of, seed=9)
    assert bootstrap_sums(*rows, f1_of, seed=9) == bootstrap_sums(*rows, f1_of, seed=np.random.default_rng(9))


def test_swapping_the_models_flips_the_bootstrap():
    y, a, b = forecasts(200)
    rows = confusion_rows(y, a), confusion_rows(y, b)

    there = bootstrap_sums(*rows, f1_of, seed=1, interval="percentile", replicates=4000)
    back = bootstrap_sums(*rows[::-1], f1_of, seed=1, interval="percentile", replicates=4000)

    assert there.estimate == -back.estimate
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=0.01)


def test_resampling_clusters_widens_the_interval_as_the_delta_method_does():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(60), 10)
    a = rng.normal(size=600)
    b = a + rng.normal(size=60)[clusters] + 0.3 * rng.normal(size=600)

    plain, clustered = (bootstrap_mean(a, b, seed=1, clusters=given) for given in (None, clusters))
    called = bootstrap(
        a, a, b, lambda _, x: float(x.mean()), seed=2, clusters=clusters, replicates=1000, interval="percentile"
    )
    reference = clustered_mean(a, b, clusters)

    assert clustered.n == called.n == 60
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    for effect in (clustered, called):
        assert effect.high - effect.low == pytest.approx(reference.high - reference.low, rel=0.12)


def test_any_metric_can_be_resampled_auc_like_delong():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 300)
    a, b = rng.normal(y, 1.2), rng.normal(1.3 * y, 1.0)

    effect, reference = bootstrap(y, a, b, auc, seed=1, replicates=800), delong(y, a, b)

    assert effect.estimate == pytest.approx(reference.estimate)
    assert (effect.low, effect.high) == pytest.approx((reference.low, reference.high), abs=0.02)


def test_replicates_without_a_value_are_counted():
    y = np.array([0] * 9 + [1] * 3)
    a, b = np.sin(np.arange(12)), np.cos(np.arange(12))

    effect = bootstrap(y, a, b, auc, seed=1, replicates=400)

    assert "replicates have no value" in effect.note
    assert not math.isnan(effect.low + effect.high)


def test_few_rows_that_differ_cannot_be_significant():
    a = np.zeros(1000)
    b = a.copy()
    b[:4] = [1.0, 2.0, 3.0, 4.0]

    effect = bootstrap_mean(a, b, seed=1)

    assert effect.p_value >= 2**-3
    assert effect.low <= 0 < effect.high
    clustered = bootstrap_mean(a, b, seed=1, clusters=np.minimum(np.arange(1000), 600))
    assert clustered.p_value >= 2**-3
    assert clustered.n == 601


def test_the_p_of_replicates_all_on_one_side_is_not_0():
    assert math.exp(log_p_of_zero(np.arange(1.0, 1000.0), PERCENTILE)) == pytest.approx(2 / 1000)


@pytest.mark.parametrize("n", [0, 1])
def test_no_row_and_one_row_have_no_bounds(n):
    a, b = np.zeros(n), np.ones(n)

    for effect in (
        bootstrap_mean(a, b, seed=1),
        bootstrap_sums(mean_rows(a), mean_rows(b), mean_of, seed=1),
        bootstrap(a, a, b, lambda _, x: float(x.sum()), seed=1),
        sign_flip_mean(a, b, seed=1),
        sign_flip_sums(mean_rows(a), mean_rows(b), mean_of, seed=1),
        sign_flip(a, a, b, lambda _, x: float(x.sum()), seed=1),
    ):
        assert (effect.low, effect.high, effect.p_value) == (-math.inf, math.inf, 1.0)
        assert effect.note


def test_equal_models_differ_by_nothing_and_say_so():
    y, a, _ = forecasts(50)
    rows = confusion_rows(y, a)

    for effect in (bootstrap_sums(rows, rows, f1_of, seed=1), bootstrap(y, a, a, auc, seed=1, replicates=200)):
        assert (effect.estimate, effect.low, effect.high, effect.p_value) == (0.0, 0.0, 0.0, 1.0)
        assert effect.note
    for effect in (sign_flip_sums(rows, rows, f1_of, seed=1), sign_flip(y, a, a, auc, seed=1)):
        assert (effect.estimate, effect.p_value) == (0.0, 1.0)


def test_a_metric_without_a_value_is_a_stated_outcome():
    nothing = confusion_rows([0, 0, 0], [0, 0, 0])

    for effect in (bootstrap_sums(nothing, nothing, f1_of, seed=1), sign_flip_sums(nothing, nothing, f1_of, seed=1)):
        assert effect.note == "the metric has no value on these rows"
        assert effect.p_value == 1.0


def test_an_offset_of_1e8_keeps_five_digits():
    rng = np.random.default_rng(8)
    a = rng.normal(size=300)
    b = a + rng.normal(0.1, 0.3, 300)

    for test in (bootstrap_mean, sign_flip_mean):
        plain, far = test(a, b, seed=1), test(a + 1e8, b + 1e8, seed=1)
        assert far.estimate == pytest.approx(plain.estimate, rel=1e-5)
        assert far.p_value == pytest.approx(plain.p_value, rel=1e-2)


# --- Sign flips


@given(st.integers(0, 2**20), st.integers(2, 9))
def test_all_flips_agree_with_scipy(seed, n):
    rng = np.random.default_rng(seed)
    gains = rng.normal(0.5, 1, n).round(1)
    assume(abs(gains.sum()) > 1e-9)  # of a sum that is 0 but for rounding, scipy misses ties
    reference = stats.permutation_test((gains,), np.mean, permutation_type="samples", n_resamples=np.inf)

    effect = sign_flip_mean(np.zeros(n), gains, seed=0)

    # scipy doubles the smaller tail; by symmetry that is the same, but for differences that are all 0.
    assert effect.p_value == pytest.approx(min(1.0, reference.pvalue), rel=1e-9)
    assert "exact" in effect.method


def test_all_flips_of_any_metric_agree_with_scipy():
    y, a, b = forecasts(9, 3)
    b = np.where(np.arange(9) < 5, 1 - a, b)

    def difference(x, z):
        return float(f1_of(confusion_rows(y, z).sum(axis=0)) - f1_of(confusion_rows(y, x).sum(axis=0)))

    reference = stats.permutation_test(
        (a, b), difference, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )

    by_sums = sign_flip_sums(confusion_rows(y, a), confusion_rows(y, b), f1_of, seed=0)
    by_call = sign_flip(y, a, b, lambda y, p: float(f1_of(confusion_rows(y, p).sum(axis=0))), seed=0)
    assert by_sums.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert by_call.p_value == pytest.approx(reference.pvalue, rel=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_flipping_who_was_right_is_mcnemars_exact_test(lost, won):
    a, b = [1] * lost + [0] * won + [1] * 5, [0] * lost + [1] * won + [1] * 5

    assert sign_flip_mean(a, b, seed=0).log_p == pytest.approx(mcnemar_log_p(lost, won, exact=True), abs=1e-9)


def test_a_tiny_p_of_all_flips_stays_on_the_log_scale():
    effect = sign_flip_mean(np.zeros(5000), np.ones(5000), seed=0)

    assert effect.log_p == pytest.approx(-4999 * math.log(2))
    assert effect.p_value > 0


def test_random_flips_are_close_to_all_of_them_and_never_0():
    rng = np.random.default_rng(9)
    gains = rng.normal(0.12, 1, 400)

    effect, reference = sign_flip_mean(np.zeros(400), gains, seed=1), paired_mean(np.zeros(400), gains)

    assert "9999 random flips" in effect.method
    assert effect.p_value == pytest.approx(reference.p_value, abs=0.005)
    assert sign_flip_mean(np.zeros(400), np.abs(gains), seed=1).p_value == pytest.approx(1e-4)


def test_random_flips_of_many_rows_of_few_sizes_are_drawn_fairly():
    rng = np.random.default_rng(10)
    gains = rng.integers(1, 12, 3000) * rng.choice([-1.0, 1.0], 3000, p=[0.485, 0.515])

    effect, reference = sign_flip_mean(np.zeros(3000), gains, seed=1), paired_mean(np.zeros(3000), gains)

    assert "random flips" in effect.method
    assert effect.p_value == pytest.approx(reference.p_value, abs=0.015)


def test_a_flip_without_a_value_counts_as_extreme():
    def broken(sums):
        return np.where(sums[..., 0] > 2.5, np.nan, sums[..., 0])

    # Swapping either row alone lifts one of the models beyond 2.5.
    effect = sign_flip_sums(mean_rows([0.0, 1.0]), mean_rows([2.0, 0.0]), broken, seed=0)

    assert effect.estimate == 1.0
    assert effect.p_value == pytest.approx(1.0)


def test_random_flips_of_sums_and_of_calls_agree():
    y, a, b = forecasts(80, 5)
    a, b = (p * 0.5 + 0.1 + np.arange(80) / 1000 for p in (a, b))
    by_sums = sign_flip_sums(calibration_rows(y, a), calibration_rows(y, b), calibration_of, seed=1)

    def calibration(y, p):
        return float(calibration_of(calibration_rows(y, p).sum(axis=0)))

    by_call = sign_flip(y, a, b, calibration, seed=2, resamples=2000)

    assert by_sums.estimate == pytest.approx(by_call.estimate)
    assert by_sums.p_value == pytest.approx(by_call.p_value, abs=0.035)


def test_clusters_flip_whole():
    a, b = np.zeros(6), np.array([1.0, 2.0, 3.0, 1.0, 1.0, 4.0])
    effect = sign_flip_mean(a, b, seed=0, clusters="aabbcc")

    assert effect.p_value == pytest.approx(2**-2)
    assert effect.n == 3
    by_sums = sign_flip_sums(mean_rows(a), mean_rows(b), mean_of, seed=0, clusters="aabbcc")
    by_call = sign_flip(a, a, b, lambda _, x: float(x.mean()), seed=0, clusters="aabbcc")
    assert by_sums.p_value == pytest.approx(effect.p_value)
    assert by_call.p_value == pytest.approx(effect.p_value)


# --- Cost


def test_a_hundred_thousand_rows_take_a_fraction_of_scipys_time_in_little_memory():
    rng = np.random.default_rng(10)
    a = rng.normal(size=100_000)
    b = a + rng.normal(0.01, 1, 100_000)

    tracemalloc.start()
    bootstrap_mean(a, b, seed=1, replicates=100)
    sign_flip_mean(a, b, seed=1, resamples=999)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    started = time.perf_counter()
    bootstrap_mean(a, b, seed=1, replicates=500)

    assert peak < 40e6
    assert 4 * (time.perf_counter() - started) < 4.0


# --- Refusals


def test_refusals_name_the_argument_and_the_mend():
    rows = mean_rows([1.0, 2.0])
    cases = [
        (lambda: bootstrap_sums(rows, rows[:1], mean_of, seed=1), r"champion is \(2, 2\) and challenger \(1, 2\)"),
        (lambda: sign_flip_sums(rows, rows[:1], mean_of, seed=1), r"champion is \(2, 2\) and challenger \(1, 2\)"),
        (lambda: bootstrap_mean([1], [2], seed=1, replicates=10), r"replicates is 10; give at least 100"),
        (lambda: bootstrap_mean([1], [2], seed=1, interval="basic"), r"interval is 'basic'; give one of 'bca'"),
        (lambda: bootstrap_mean([1], [2], seed=1, confidence=2), r"confidence is 2"),
        (lambda: sign_flip_mean([1, 3], [2, 5], seed=1, resamples=0), r"resamples is 0"),
        (lambda: bootstrap([0, 1], [1, math.nan], [1, 2], auc, seed=1), r"champion has 1 of 2 values that are NaN"),
        (lambda: bootstrap([0, 1], [1, 2], [1, 2, 3], auc, seed=1), r"lengths differ"),
        (lambda: bootstrap(1, 2, 3, auc, seed=1), r"labels is a single number"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
