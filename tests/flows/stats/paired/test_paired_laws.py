"""What must hold whatever the numbers: symmetry, agreement with scipy and statsmodels, honest edges."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from flows.stats.paired.binary import mcnemar, mcnemar_counts, newcombe_paired, tango
from flows.stats.paired.clusters import cluster_codes
from flows.stats.paired.forecast import diebold_mariano
from flows.stats.paired.losses import absolute_error, brier, clustered_mean, log_loss, paired_mean, squared_error
from flows.stats.paired.many import cochran_q, friedman, holm
from flows.stats.paired.ranking import auc_interval, delong
from flows.stats.paired.signed_rank import signed_rank
from flows.stats.paired.validation import corrected_resampled_t, five_by_two_f, five_by_two_t

tables = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)).filter(sum)
numbers = arrays(np.float64, st.integers(3, 30), elements=st.floats(-100, 100).map(lambda x: round(x, 2)))
halves = arrays(np.float64, (5, 2), elements=st.floats(0, 1).map(lambda x: round(x, 3)))


def whole(effect) -> bool:
    """No NaN anywhere, p above 0, the estimate within the interval."""
    numbers = [value for field in fields(effect) if isinstance(value := getattr(effect, field.name), float)]
    return (
        not any(map(math.isnan, numbers)) and 0 < effect.p_value <= 1 and effect.low <= effect.estimate <= effect.high
    )


def mirrored(there, back) -> bool:
    return (there.estimate, there.low, there.high, there.log_p) == pytest.approx(
        (-back.estimate, -back.high, -back.low, back.log_p), rel=1e-7, abs=1e-7
    )


# --- Swapping the models flips everything


@given(tables, st.sampled_from(["mid-p", "exact", "chi2", "chi2-corrected"]), st.sampled_from(["tango", "newcombe"]))
def test_swapping_the_models_flips_mcnemar_by_any_test_and_interval(table, test, interval):
    both, lost, won, _ = table
    n = sum(table)

    there = mcnemar_counts(lost, won, n, both=both, test=test, interval=interval)
    back = mcnemar_counts(won, lost, n, both=both, test=test, interval=interval)

    assert mirrored(there, back)
    assert whole(there)
    assert there.low >= -1
    assert there.high <= 1


@given(numbers, st.randoms(use_true_random=False))
def test_swapping_the_models_flips_every_test_of_a_mean(a, random):
    b = np.array(random.sample(list(a), len(a)))
    clusters = [random.choice("abcdef") for _ in a]

    for test in (paired_mean, signed_rank, lambda x, y: clustered_mean(x, y, clusters)):
        there, back = test(a, b), test(b, a)
        assert mirrored(there, back)
        assert whole(there)


@given(numbers, st.integers(1, 4), st.sampled_from(["rectangular", "bartlett"]))
def test_swapping_the_models_flips_diebold_mariano(a, horizon, kernel):
    b = np.roll(a, 1)

    there, back = (diebold_mariano(*pair, horizon=horizon, kernel=kernel, power=1) for pair in ((a, b), (b, a)))

    assert mirrored(there, back)
    assert whole(there)


@given(halves, halves)
def test_swapping_the_models_flips_the_tests_of_cross_validation(a, b):
    for test in (
        five_by_two_t,
        five_by_two_f,
        lambda x, y: corrected_resampled_t(x.ravel(), y.ravel(), train=90, test=10),
    ):
        there, back = test(a, b), test(b, a)
        assert mirrored(there, back)
        assert whole(there)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40))
def test_swapping_the_models_flips_delong(rows):
    y, a, b = np.array(rows).T
    if 0 < y.sum() < y.size:
        there, back = delong(y, a, b), delong(y, b, a)
        assert mirrored(there, back)
        assert whole(there)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=2, max_size=40))
def test_the_interval_of_an_auc_stays_within_0_and_1_and_flips_with_the_scores(rows):
    y, s = np.array(rows).T
    if 0 < y.sum() < y.size:
        for method in ("delong", "logit", "newcombe"):
            up, down = auc_interval(y, s, method=method), auc_interval(y, -s, method=method)
            assert 0 <= up.low <= up.estimate <= up.high <= 1
            assert (up.low, up.high) == pytest.approx((1 - down.high, 1 - down.low), abs=1e-7)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 2**20))
def test_newcombes_interval_of_an_auc_inverts_the_variance_of_hanley_and_mcneil(ones, zeros, seed):
    rng = np.random.default_rng(seed)
    found = auc_interval(np.repeat([1, 0], [ones, zeros]), rng.normal(size=ones + zeros).round(1), method="newcombe")

    half = (ones + zeros) / 2 - 1
    for bound in (found.low, found.high):
        if 0 < bound < 1:
            q1, q2 = bound / (2 - bound), 2 * bound**2 / (1 + bound)
            spread = bound * (1 - bound) + half * (q1 + q2 - 2 * bound**2)
            assert abs(found.estimate - bound) == pytest.approx(1.959963984540054 * math.sqrt(spread / ones / zeros))


# --- Shift and scale


@given(numbers, st.floats(0.01, 100), st.floats(-50, 50))
def test_a_scale_carries_over_and_a_shift_of_both_does_not_matter(a, scale, shift):
    b = a[::-1].copy()

    for test in (paired_mean, signed_rank):
        plain, moved = test(a, b), test(scale * a + shift, scale * b + shift)
        if plain.estimate and moved.estimate and test is paired_mean:
            assert moved.estimate == pytest.approx(scale * plain.estimate, rel=1e-6, abs=1e-9)
            assert moved.log_p == pytest.approx(plain.log_p, rel=1e-5, abs=1e-6)


def test_an_offset_of_1e8_keeps_five_digits():
    rng = np.random.default_rng(1)
    a = rng.normal(size=500)
    b = a + rng.normal(0.1, 0.3, 500)
    clusters = np.arange(500) // 5

    for test in (paired_mean, signed_rank, lambda x, y: clustered_mean(x, y, clusters)):
        plain, far = test(a, b), test(a + 1e8, b + 1e8)
        assert far.estimate == pytest.approx(plain.estimate, rel=1e-5)
        assert far.p_value == pytest.approx(plain.p_value, rel=1e-5)
        assert (far.low, far.high) == pytest.approx((plain.low, plain.high), rel=1e-4)


def test_rounding_is_no_difference_and_no_variance():
    a = np.array([0.1, 0.2, 0.3, 0.7] * 5)

    assert paired_mean(a, (a * 3) / 3).p_value == 1.0
    lifted = paired_mean(a, a + 0.1)
    assert lifted.estimate == pytest.approx(0.1)
    assert lifted.log_p == pytest.approx(-19 * math.log(2))


# --- Agreement


@given(tables)
def test_mcnemar_agrees_with_statsmodels(table):
    both, lost, won, neither = table
    square = [[both, lost], [won, neither]]

    exact = mcnemar_counts(lost, won, sum(table), test="exact").p_value
    assert exact == pytest.approx(statsmodels_mcnemar(square, exact=True).pvalue, rel=1e-9)
    if lost != won:
        for test, correction in (("chi2", False), ("chi2-corrected", True)):
            reference = statsmodels_mcnemar(square, exact=False, correction=correction).pvalue
            assert mcnemar_counts(lost, won, sum(table), test=test).p_value == pytest.approx(reference, rel=1e-9)


def test_mcnemar_from_rows_is_mcnemar_from_counts():
    champion, challenger = [1] * 65 + [0] * 35, [1] * 50 + [0] * 15 + [1] * 30 + [0] * 5

    from_rows = mcnemar(champion, challenger, interval="newcombe", test="exact")

    assert from_rows == mcnemar_counts(15, 30, 100, both=50, interval="newcombe", test="exact")


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [5, 12])
def test_the_exact_signed_rank_p_agrees_with_scipy_ties_or_not(n, ties):
    rng = np.random.default_rng(n)
    b = rng.normal(0.4, 1, n)
    b = np.where(b.round() == 0, 1.0, b.round()) if ties else b

    reference = stats.wilcoxon(b, method=stats.PermutationMethod() if ties else "exact")

    assert signed_rank(np.zeros(n), b).p_value == pytest.approx(reference.pvalue, rel=1e-9)


@pytest.mark.parametrize("continuity", [False, True])
def test_the_normal_signed_rank_p_agrees_with_scipy(continuity):
    rng = np.random.default_rng(2)
    b = rng.normal(0.1, 1, 300).round(1)

    reference = stats.wilcoxon(b, method="asymptotic", correction=continuity)

    assert signed_rank(np.zeros(300), b, continuity=continuity).p_value == pytest.approx(reference.pvalue, rel=1e-9)


@given(numbers)
def test_the_pseudo_median_is_the_median_of_the_means_of_pairs(b):
    b = b[b != 0]
    if b.size:
        i, j = np.triu_indices(b.size)
        found = signed_rank(np.zeros(b.size), b)
        assert found.estimate == pytest.approx(np.median((b[i] + b[j]) / 2), rel=1e-12, abs=1e-12)


def test_the_hodges_lehmann_interval_inverts_the_test():
    rng = np.random.default_rng(8)
    for n in (20, 80):
        b = rng.normal(0.3, 1, n)
        effect = signed_rank(np.zeros(n), b)
        for bound, side in ((effect.low, -1), (effect.high, 1)):
            outside, inside = (signed_rank(np.full(n, bound + step * side), b).p_value for step in (1e-9, -1e-9))
            assert outside <= 0.05 < inside


def test_the_clustered_error_agrees_with_statsmodels():
    rng = np.random.default_rng(4)
    clusters = rng.integers(0, 40, 300)
    a = rng.normal(size=300)
    b = a + 0.1 + rng.normal(size=40)[clusters] + rng.normal(size=300)

    effect = clustered_mean(a, b, [f"customer {c}" for c in clusters])
    reference = sm.OLS(b - a, np.ones(300)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "df_correction": True}, use_t=True
    )

    assert effect.n == 40
    assert effect.p_value == pytest.approx(reference.pvalues[0], rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx(tuple(reference.conf_int()[0]), rel=1e-9)


@given(numbers)
def test_a_cluster_for_every_row_is_the_paired_t_test(a):
    b = a[::-1].copy()

    clustered, plain = clustered_mean(a, b, range(a.size)), paired_mean(a, b)

    assert clustered.estimate == pytest.approx(plain.estimate)
    if plain.p_value > 1e-12:
        assert clustered.p_value == pytest.approx(plain.p_value, rel=1e-6)


def test_losses_per_row_have_the_means_of_sklearn():
    rng = np.random.default_rng(5)
    y, p = rng.integers(0, 2, 200), rng.uniform(size=200)

    assert log_loss(y, p).mean() == pytest.approx(sklearn_log_loss(y, p), rel=1e-12)
    assert brier(y, p).mean() == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    assert squared_error(y, p).mean() == pytest.approx(np.mean((y - p) ** 2), rel=1e-12)
    assert absolute_error([1e8 + 1], [1e8]).tolist() == [1.0]
    assert np.isfinite(log_loss([1, 0], [0.0, 1.0])).all()


def test_one_step_ahead_diebold_mariano_is_a_t_test_of_losses():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=60), rng.normal(size=60)

    effect, plain = diebold_mariano(a, b), paired_mean(-(a**2), -(b**2))

    assert replace(effect, method="", note="") == replace(plain, method="")


def test_a_long_run_variance_that_is_not_positive_falls_back_on_bartlett_and_says_so():
    errors = np.array([1.0, 2.0] * 10)

    effect = diebold_mariano(errors, np.zeros(20), horizon=2, power=1)

    assert "Bartlett" in effect.note
    bartlett = diebold_mariano(errors, np.zeros(20), horizon=2, power=1, kernel="bartlett")
    assert effect.p_value == bartlett.p_value
    assert whole(effect)


def test_the_5x2_f_interval_holds_what_the_test_does_not_reject():
    rng = np.random.default_rng(7)
    a, b = rng.normal(0.8, 0.02, (5, 2)), rng.normal(0.83, 0.02, (5, 2))

    effect = five_by_two_f(a, b)

    for bound in (effect.low, effect.high):
        assert five_by_two_f(a + bound, b).p_value == pytest.approx(0.05, rel=1e-6)


@given(st.integers(0, 2**20))
def test_cochrans_q_and_friedman_agree_with_statsmodels_and_scipy(seed):
    rng = np.random.default_rng(seed)
    right, scores = rng.integers(0, 2, (30, 4)), rng.normal(size=(12, 4)).round(1)

    assert cochran_q(right).p_value == pytest.approx(cochrans_q(right).pvalue, rel=1e-9)
    assert friedman(scores).p_value == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue, rel=1e-9)


@pytest.mark.parametrize("p", [[0.2], [0.04, 0.01, 0.03, 0.01], [1e-12, 0.9, 0.5, 0.02, 0.02, 0.3]])
def test_holm_agrees_with_statsmodels(p):
    reference = multipletests(p, method="holm")[1]

    assert np.exp(holm(np.log(p))) == pytest.approx(reference, rel=1e-9)


def test_the_signed_rank_pairs_do_not_depend_on_the_other_models():
    rng = np.random.default_rng(9)
    scores = rng.normal([0, 0.3, 0.6, 5], 1, (25, 4))

    some, all_four = (friedman(part, post_hoc="signed-rank") for part in (scores[:, :3], scores))

    assert some.pairs[0].effect == all_four.pairs[0].effect
    assert all_four.pairs[0].p_value >= some.pairs[0].p_value


# --- Honest edges


@pytest.mark.parametrize("n", [0, 1])
def test_no_row_and_one_row_are_stated_outcomes(n):
    a, b = np.zeros(n), np.ones(n)

    for effect in (
        paired_mean(a, b),
        clustered_mean(a, b, range(n)),
        signed_rank(a, b),
        diebold_mariano(a, b),
        corrected_resampled_t(a, b, train=9, test=1),
    ):
        assert (effect.low, effect.high, effect.p_value) == (-math.inf, math.inf, 1.0)
        assert effect.note
    assert whole(mcnemar(a, b))


def test_nothing_but_equal_models_is_a_stated_outcome():
    y = np.array([0, 1, 0, 1, 1, 0])
    s = np.array([0.1, 0.9, 0.4, 0.6, 0.3, 0.2])

    for effect in (
        mcnemar(y, y),
        paired_mean(s, s),
        clustered_mean(s, s, "aabbcc"),
        signed_rank(s, s),
        delong(y, s, s),
        diebold_mariano(s, s, horizon=2),
        corrected_resampled_t(s, s, train=9, test=1),
        five_by_two_t(np.ones((5, 2)), np.ones((5, 2))),
        five_by_two_f(np.ones((5, 2)), np.ones((5, 2))),
    ):
        assert (effect.estimate, effect.p_value) == (0.0, 1.0)
        assert effect.note
        assert whole(effect)
    for several in (cochran_q(np.ones((9, 3))), friedman(np.ones((9, 3))), friedman(np.empty((0, 3)))):
        assert (several.statistic, several.p_value) == (0.0, 1.0)
        assert several.note


def test_no_discordant_pairs_leave_an_interval_that_narrows_with_n():
    few, many = mcnemar_counts(0, 0, 50), mcnemar_counts(0, 0, 5000)

    assert "no discordant pairs" in few.note
    assert few.p_value == 1.0
    assert few.low < many.low < 0 < many.high < few.high
    assert all(map(math.isfinite, newcombe_paired(0, 0, 50, both=50)))


def test_two_perfect_rankings_leave_an_interval_that_narrows_with_n():
    def perfect(n):
        y = np.repeat([0, 1], n)
        return delong(y, np.arange(2 * n), np.concatenate([np.arange(n)[::-1], np.arange(n, 2 * n)]))

    few, many = perfect(10), perfect(1000)

    assert "both AUC are 1" in few.note
    assert (few.estimate, few.p_value) == (0.0, 1.0)
    assert -1 < few.low < many.low < 0 < many.high < few.high < 1


def test_a_perfect_auc_has_an_honest_interval():
    found = auc_interval([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6])

    assert (found.estimate, found.high) == (1.0, 1.0)
    assert 0.4 < found.low < 0.8
    assert "Newcombe" in found.note
    lone = auc_interval([0, 0, 1], [1, 3, 2])
    assert math.isinf(lone.error)
    assert 0 <= lone.low < lone.high <= 1


def test_tiny_p_values_stay_on_the_log_scale():
    n = 200_000
    far = np.ones(n) + 0.01 * np.random.default_rng(0).normal(size=n)
    labels = np.repeat([0, 1], 2000)

    assert mcnemar_counts(0, 5000, 9000).log_p < -3400
    assert mcnemar_counts(0, 5000, 9000, test="chi2").log_p < -2400
    assert paired_mean(np.zeros(n), far).log_p < -1e5
    assert signed_rank(np.zeros(2000), np.arange(1.0, 2001)).log_p < -700
    assert delong(labels, np.tile(np.arange(2000), 2), labels + np.tile(np.arange(2000), 2) / 1e5).log_p < -700
    several = cochran_q(np.column_stack([np.ones(4000), np.zeros(4000), np.ones(4000)]))
    assert several.log_p == pytest.approx(-several.statistic / 2, rel=1e-9)
    assert 0 < several.p_value < 1e-300


def test_the_log_p_of_chi_squared_is_smooth_where_it_leaves_the_library():
    from flows.stats.paired.many import _log_chi2

    for freedom in (1, 2, 3, 7, 40):
        below, above = _log_chi2(1300.0, freedom), _log_chi2(1600.0, freedom)
        halves = (freedom / 2 - 1) * math.log(1600 / 1300) - 150
        assert above - below == pytest.approx(halves, abs=0.02)


# --- Refusals


def test_refusals_name_the_argument_the_count_and_the_mend():
    ones, y = [1.0, 2.0], [0, 1]
    cases = [
        (lambda: mcnemar_counts(3, 4, 5), r"7 discordant pairs among 5"),
        (lambda: mcnemar_counts(-1, 4, 5), r"lost is -1; counts are whole"),
        (lambda: mcnemar_counts(1, 2, 9, interval="newcombe"), r"both is missing"),
        (lambda: mcnemar_counts(1, 2, 9, both=8, interval="newcombe"), r"both is 8, but only 6 of 9"),
        (lambda: mcnemar_counts(1, 2, 9, test="fisher"), r"test is 'fisher'; give one of 'mid-p'"),
        (lambda: tango(1, 2, 0), "there must be a pair"),
        (lambda: clustered_mean(ones, ones, ["a"]), r"clusters has 1 values for 2 rows"),
        (lambda: clustered_mean(ones, ones, ["a", None]), r"clusters has 1 of 2 values that are missing"),
        (lambda: clustered_mean(ones, ones, [math.nan, 1.0]), r"clusters has 1 of 2 values that are missing"),
        (lambda: brier(y, [0.2, 1.2]), r"probabilities has 1 of 2 values outside 0 to 1"),
        (lambda: diebold_mariano(ones, ones, horizon=0), r"horizon is 0"),
        (lambda: diebold_mariano(ones, ones, power=-1), r"power is -1"),
        (lambda: diebold_mariano(ones, [1.0]), r"champion_errors: 2, challenger_errors: 1"),
        (lambda: corrected_resampled_t(ones, ones, train=0, test=1), r"train is 0"),
        (lambda: five_by_two_f(np.ones((2, 5)), np.ones((5, 2))), r"champion is \(2, 5\)"),
        (lambda: cochran_q(np.full((3, 3), 2)), r"right has 9 of 9 values other than 0 and 1"),
        (lambda: cochran_q(np.ones((3, 1))), r"right has 1 models"),
        (lambda: friedman(np.ones((3, 2))), r"scores has 2 models \(columns\); give at least 3"),
        (lambda: friedman(np.ones(3)), r"scores has 1 dimensions; give two"),
        (lambda: auc_interval(y, ones, method="wald"), r"method is 'wald'"),
        (lambda: auc_interval([1, 1], ones), r"AUC needs both"),
        (lambda: signed_rank([math.nan, 1], ones), r"champion has 1 of 2 values that are NaN"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@given(st.lists(st.one_of(st.text(max_size=3), st.integers(-3, 3), st.tuples(st.integers(0, 2))), max_size=30))
@settings(max_examples=50)
def test_rows_of_one_cluster_share_a_number_and_others_do_not(clusters):
    codes = cluster_codes(clusters, len(clusters))

    assert len(set(codes.tolist())) == len(set(clusters))
    assert all(
        (a == b) == (x == y) for a, x in zip(codes, clusters, strict=True) for b, y in zip(codes, clusters, strict=True)
    )
