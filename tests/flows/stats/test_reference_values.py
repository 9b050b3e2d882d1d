"""Published values of what an outsider would look up, each by one call with counts or raw arrays."""

import itertools
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from flows.stats.moments import CoMoments, Moments
from flows.stats.multiplicity import adjusted
from flows.stats.one_sided import one_sided, widened
from flows.stats.paired.binary import mcnemar, mcnemar_counts, tango
from flows.stats.paired.forecast import diebold_mariano
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.margins import discordant_not_inferior, paired_equivalent, paired_not_inferior
from flows.stats.paired.ranking import auc, delong
from flows.stats.paired.top import recall_at
from flows.stats.planning.waiting import tuned_scale
from flows.stats.sequential.asymptotic import paired_sequence, unit_sequence
from flows.stats.sequential.cusum import Chart, normal_run_length
from flows.stats.sequential.group.bounds import constant_shape
from flows.stats.unpaired.cuped import cuped
from flows.stats.unpaired.margins import share_equivalent, share_not_inferior
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.one_sample import mean_interval, share_interval
from flows.stats.unpaired.proportions import fisher, miettinen_nurminen, newcombe, proportion_z
from flows.stats.unpaired.ranks import mann_whitney
from flows.stats.unpaired.ratios import ratio_difference
from flows.stats.unpaired.relative import relative_lift
from flows.stats.unpaired.share_ratio import share_lift


@pytest.mark.parametrize(
    ("successes", "n", "method", "expected"),
    [
        # Newcombe (1998), Stat. Med. 17:857-872, table I: methods 1, 3, 5 and 6.
        (81, 263, "wald", (0.2522, 0.3638)),
        (81, 263, "wilson", (0.2553, 0.3662)),
        (81, 263, "clopper-pearson", (0.2527, 0.3676)),
        (81, 263, "mid-p", (0.2544, 0.3658)),
        (15, 148, "wald", (0.0527, 0.1500)),
        (15, 148, "wilson", (0.0624, 0.1605)),
        (15, 148, "clopper-pearson", (0.0578, 0.1617)),
        (15, 148, "mid-p", (0.0601, 0.1581)),
        (0, 20, "wilson", (0.0, 0.1611)),
        (0, 20, "clopper-pearson", (0.0, 0.1684)),
        (0, 20, "mid-p", (0.0, 0.1391)),
        (1, 29, "wald", (0.0, 0.1009)),
        (1, 29, "wilson", (0.0061, 0.1718)),
        (1, 29, "clopper-pearson", (0.0009, 0.1776)),
        (1, 29, "mid-p", (0.0017, 0.1585)),
        # Agresti (2013), Categorical Data Analysis, p. 605.
        (0, 25, "mid-p", (0.0, 0.113)),
        # R tern, desctools_binomci: half of 30.
        (15, 30, "wilson", (0.3315, 0.6685)),
    ],
)
def test_intervals_of_one_share(successes, n, method, expected):
    digits = max(len(f"{limit}".split(".")[1]) for limit in expected)

    assert share_interval(successes, n, method=method) == pytest.approx(expected, abs=0.51 * 10**-digits)


def test_an_interval_of_one_share_mirrors_that_of_failures():
    for method in ("wald", "wilson", "clopper-pearson", "mid-p", "jeffreys", "agresti-coull"):
        for successes in (0, 1, 7, 20):
            low, high = share_interval(successes, 20, method=method)
            assert share_interval(20 - successes, 20, method=method) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("champion", "challenger", "method", "expected"),
    [
        ((1, 34), (7, 34), "koopman", (1.220853, 42.575718)),  # R PropCIs::riskscoreci(7, 34, 1, 34, .95)
        ((1, 34), (7, 34), "katz", (0.91, 54)),  # Fagerland, Lydersen, Laake (2015), table
        ((16, 80), (36, 40), "koopman", (2.940, 7.152)),  # Nam (1995), of Koopman's example
    ],
)
def test_intervals_of_a_ratio_of_shares(champion, challenger, method, expected):
    found = share_lift(champion, challenger, method=method)

    assert (1 + found.low, 1 + found.high) == pytest.approx(expected, rel=5e-3 if method == "katz" else 2e-4)


@pytest.mark.parametrize("method", ["koopman", "miettinen-nurminen"])
@pytest.mark.parametrize("shares", [((3, 10), (9, 10)), ((10, 10), (9, 10)), ((0, 10), (4, 12)), ((20, 20), (30, 30))])
def test_the_interval_of_a_ratio_of_shares_excludes_what_the_test_rejects(shares, method):
    found = share_lift(*shares, method=method, confidence=0.9)
    mirrored = share_lift(*shares[::-1], method=method, confidence=0.9)

    assert (found.low > 0 or found.high < 0) == (found.p_value < 0.1)
    assert mirrored.log_p == pytest.approx(found.log_p, rel=1e-9, abs=1e-12)
    inverse = 1 / (1 + found.low) if found.low > -1 else math.inf
    assert 1 + mirrored.high == pytest.approx(inverse, rel=1e-9)


def test_margins_of_shares():
    # R cicalc::ci_prop_diff_mee(delta = 0.1): 56/70 - 48/80, statistic 1.348, p .0889; the other way here.
    assert share_not_inferior((56, 70), (48, 80), margin=0.1, score="farrington-manning").p_value == pytest.approx(
        1 - 0.0889, abs=5e-5
    )
    found = share_not_inferior((48, 80), (56, 70), margin=1e-12, score="farrington-manning")
    assert found.p_value == pytest.approx(stats.norm.sf(2.65), abs=2e-5)
    assert found.low == pytest.approx(miettinen_nurminen((48, 80), (56, 70), confidence=0.9).low, abs=1e-3)


def test_equivalence_of_shares_is_the_worse_of_two_tests_and_agrees_with_its_interval():
    for margin in (0.05, 0.1, 0.2):
        found = share_equivalent((82, 100), (80, 100), margin=margin)
        there = share_not_inferior((82, 100), (80, 100), margin=margin)
        back = share_not_inferior((80, 100), (82, 100), margin=margin)
        assert found.p_value == pytest.approx(max(there.p_value, back.p_value), rel=1e-9)
        assert (-margin < found.low and found.high < margin) == (found.p_value < 0.05)


def test_tangos_test_of_soft_contact_lenses():
    # Tango (1998), example 1: 43 of 44 pairs alike, one lost; Z = 1.709, p = .044.
    found = discordant_not_inferior(1, 0, 44, margin=0.1)

    assert found.p_value == pytest.approx(stats.norm.sf(1.709), abs=5e-5)
    assert found.low == pytest.approx(tango(1, 0, 44, confidence=0.9)[0], abs=1e-12)


def test_margins_of_paired_means_agree_with_scipy_and_statsmodels():
    rng = np.random.default_rng(3)
    a = rng.normal(size=60)
    b = a + rng.normal(0.05, 0.5, 60)

    assert paired_not_inferior(a, b, margin=0.2).p_value == pytest.approx(
        stats.ttest_rel(b + 0.2, a, alternative="greater").pvalue, rel=1e-9
    )
    assert paired_equivalent(a, b, margin=0.2).p_value == pytest.approx(ttost_paired(b, a, -0.2, 0.2)[0], rel=1e-9)
    by_row = paired_not_inferior(a, b, margin=0.2, clusters=list(range(60)))
    assert by_row.p_value == pytest.approx(paired_not_inferior(a, b, margin=0.2).p_value, rel=1e-9)


def test_one_sided_agrees_with_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 30))

    for alternative in ("greater", "less"):
        reference = stats.ttest_rel(b, a, alternative=alternative)
        found = one_sided(paired_mean(a, b, confidence=widened(0.95)), alternative)
        limits = reference.confidence_interval(0.95)
        assert found.p_value == pytest.approx(reference.pvalue, rel=1e-9)
        assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


def test_one_sided_forecast_comparison_is_half_of_the_two_sided():
    errors = np.array([0, 1, 2, 3, 4, 5]), np.array([0, 2, 3, 3, 5, 6])
    both = diebold_mariano(*errors)

    assert one_sided(both, "less").p_value == pytest.approx(both.p_value / 2, rel=1e-12)
    assert one_sided(both, "greater").p_value == pytest.approx(1 - both.p_value / 2, rel=1e-12)


def test_one_sided_keeps_tiny_p_values():
    assert one_sided(mcnemar_counts(0, 5000, 10_000)).log_p < -3000
    assert one_sided(mcnemar_counts(0, 5000, 10_000), "less").p_value <= 1


@pytest.mark.parametrize(
    ("reference", "limit", "mean", "expected"),
    [  # R spc::xcusum.arl, documentation: Brook, Evans (1972); Waldmann (1986); Vance (1986)
        (0.5, 3.0, 0.0, 117.60),
        (0.5, 3.0, 1.5, 3.75),
        (0.5, 3.0, -0.5, 1963),
        (0.5, 3.0, 0.5, 17.35),
        (0.0, 10.0, -0.25, 2071.51),
        (0.0, 10.0, -0.125, 400.28),
        (0.0, 10.0, 0.0, 124.66),
        (0.0, 10.0, 0.125, 59.30),
        (0.0, 10.0, 0.25, 36.71),
        (0.0, 10.0, 0.5, 20.37),
        (0.0, 10.0, 0.75, 14.06),
        (0.0, 10.0, 1.0, 10.75),
    ],
)
def test_run_lengths_of_pages_chart(reference, limit, mean, expected):
    found = normal_run_length(Chart(reference=reference, limit=limit), mean)

    assert found == pytest.approx(expected, abs=0.5 if expected == 1963 else max(0.0051, 5e-5 * expected))


@pytest.mark.parametrize(
    ("mean", "expected"),
    [(0, 168), (0.25, 74.2), (0.5, 26.6), (0.75, 13.3), (1, 8.38), (1.5, 4.75), (2, 3.34), (2.5, 2.62), (3, 2.19)],
)
def test_run_lengths_of_two_charts_at_once(mean, expected):
    # Lucas, Crosier (1982), table 1, h = 4, k = .5.
    chart = Chart(reference=0.5, limit=4.0)

    both = 1 / (1 / normal_run_length(chart, mean) + 1 / normal_run_length(chart, -mean))

    assert both == pytest.approx(expected, rel=3e-3)


def test_tests_of_spotify_confidence():
    # spotify/confidence, tests/frequentist/test_chisquared.py: 42 of 104 and 500 of 1009.
    wald = proportion_z((42, 104), (500, 1009), pooled=False)
    assert (wald.low, wald.high) == pytest.approx((-0.0075254, 0.190913), abs=1e-6)
    assert proportion_z((42, 104), (500, 1009)).p_value == pytest.approx(0.074866, abs=1e-6)
    assert share_interval(500, 1009, method="wald") == pytest.approx((0.4646901340, 0.5263901435), abs=1e-9)


def test_tests_of_tea_tasting():
    # e10v/tea-tasting, tests/metrics/test_mean.py, orders of make_users_data(n_users=100, seed=42).
    control, treatment = (53, 0.5660377358490566, 52 * 0.7888243831640056), (47, 18 / 47, 46 * 0.5023126734505089)

    plain, lift = welch(control, treatment), relative_lift(control, treatment, interval="log")

    assert (plain.low, plain.high, plain.p_value) == pytest.approx((-0.50043594, 0.13431791, 0.25512305), abs=1e-8)
    assert (lift.estimate, lift.low, lift.high) == pytest.approx((-0.32340426, -0.65933511, 0.34378921), abs=1e-8)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_of_the_log_ratio_agrees_with_its_test(confidence):
    rng = np.random.default_rng(8)
    for _ in range(50):
        a, b = rng.exponential(size=40), 1.4 * rng.exponential(size=60)
        found = relative_lift(a, b, interval="log", confidence=confidence)
        assert (found.low > 0 or found.high < 0) == (found.p_value < 1 - confidence)
        assert found.p_value == relative_lift(a, b).p_value


def test_values_of_every_kind_are_taken():
    a, b = np.array([1.0, 2.0, 4.0, 3.0]), np.array([2.0, 4.0, 5.0, 5.0])
    expected = stats.ttest_ind(b, a, equal_var=False).pvalue

    for kind in (np.asarray, list, pd.Series, pl.Series):
        assert welch(kind(a), kind(b)).p_value == pytest.approx(expected, rel=1e-9)
        assert relative_lift(kind(a), kind(b)) == relative_lift(Moments.of(a), Moments.of(b))
        assert paired_sequence(kind(b - a)) == paired_sequence(Moments.of(b - a))
        assert cuped((kind(a), kind(b)), (kind(b), kind(a))) == cuped(CoMoments.of(a, b), CoMoments.of(b, a))
        assert ratio_difference((kind(a), kind(b)), (kind(b), kind(a))).n == 4
        assert unit_sequence((kind(a), kind(b)), (kind(b), kind(a))).n == 4
        assert mean_interval(kind(a)) == pytest.approx(stats.ttest_1samp(a, 0).confidence_interval(0.95), rel=1e-9)
        assert mcnemar(kind([True, False, True]), kind([True, True, True])).n == 3
        assert delong(kind([False, True, False, True]), kind(a), kind(b)).n == 4
    assert newcombe((np.int64(48), np.int32(80)), (56, 70)) == newcombe((48, 80), (56, 70))


def test_three_numbers_that_could_mean_two_things_are_refused():
    with pytest.raises(ValueError, match=r"champion is a list of 3; give the tuple \(n, mean, m2\), or an array"):
        welch([10, 1.0, 9.0], (12, 2.0, 11.0))
    assert welch(np.array([1.0, 2.0, 4.0]), (12, 2.0, 11.0)).n == 3


def test_the_area_of_one_class_is_refused():
    with pytest.raises(ValueError, match="labels have 0 ones and 2 zeros; AUC needs both"):
        auc([0, 0], [0.1, 0.2])


def test_the_normal_mixture_of_confseq():
    # gostevehoward/confseq, test of TwoSidedNormalMixture: rho 12.60056 and bound 30.35209, tuned to and at 100.
    seen = paired_sequence((100, 0.0, 99.0), tuned_to=100)

    assert tuned_scale(100, 0.05) == pytest.approx(12.60056, abs=1e-5)
    assert 100 * seen.high == pytest.approx(30.35209, abs=1e-4)
    assert 100 * seen.low == pytest.approx(-30.35209, abs=1e-4)


def from_sums(n, total, squares, *, divided_by_n=False):
    """Sufficient statistics from raw sums; the older spotify-confidence divides squares by n in place of n - 1."""
    return n, total / n, (squares - total * total / n) * ((n - 1) / n if divided_by_n else 1)


@pytest.mark.parametrize(
    ("champion", "challenger", "confidence", "expected"),
    [  # spotify/confidence, tests/frequentist/test_ttest.py: difference, interval, p
        ((104, 312, 984), (1009, 1969, 5767), 0.95, (-1.0485629, -1.205402, -0.891723)),
        ((104, 312, 984), (1009, 1969, 5767), 0.99, (-1.0485629, -1.255391, -0.841735)),
        ((104, 312, 984), (1009, 1969, 5767), 0.999, (-1.0485629, -1.314140, -0.782986)),
        ((10, 24, 80), (150, 330, 1010), 0.95, (-0.2, -1.283253, 0.883253, 0.689599)),
        ((22, 8, 12), (1010, 500, 2500), 0.95, (0.131413, -0.166276, 0.429102, 0.372650)),
    ],
)
def test_t_tests_of_spotify_confidence(champion, challenger, confidence, expected):
    arms = (from_sums(*arm, divided_by_n=True) for arm in (champion, challenger))

    found = welch(*arms, confidence=confidence)

    assert (found.estimate, found.low, found.high, found.p_value)[: len(expected)] == pytest.approx(expected, abs=2e-6)


def test_t_test_of_gbstats():
    # growthbook/growthbook, packages/stats/tests/frequentist/test_tests.py
    found = welch((3407, 0.41, 3.9**2 * 3406), (3461, 0.7, 6.2**2 * 3460))

    assert (found.low, found.high, found.p_value) == pytest.approx((0.04538, 0.53462, 0.02016), abs=6e-6)


def test_t_test_of_sleep():
    # R, example of t.test: extra ~ group.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

    found = welch(first, second)

    assert (-found.high, -found.low, found.p_value) == pytest.approx((-3.3654832, 0.2054832, 0.07939), abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "alpha", "at", "constants"),
    [  # Jennison and Turnbull (2000), tables 2.1 and 2.3
        (0.5, 0.05, 0, {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555, 20: 2.672}),
        (0.5, 0.1, 0, {2: 1.875, 3: 1.992, 4: 2.067, 5: 2.122, 10: 2.270}),
        (0.5, 0.01, 0, {2: 2.772, 3: 2.873, 4: 2.939, 5: 2.986, 10: 3.117}),
        (0.0, 0.05, -1, {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087, 20: 2.126}),
        (0.0, 0.1, -1, {2: 1.678, 3: 1.710, 4: 1.733, 5: 1.751, 10: 1.801}),
        (0.0, 0.01, -1, {2: 2.580, 3: 2.595, 4: 2.609, 5: 2.621, 10: 2.660}),
    ],
)
def test_constants_of_jennison_and_turnbull(shape, alpha, at, constants):
    for looks, expected in constants.items():
        bounds = constant_shape(list(np.arange(1, looks + 1) / looks), shape=shape, alpha=alpha)
        assert bounds[at] == pytest.approx(expected, abs=6e-4)


def test_false_discoveries_of_benjamini_and_hochberg():
    # Benjamini and Hochberg (1995), section 4.1: theirs rejects four hypotheses, Bonferroni's three.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1,
    ]
    log_p = [math.log(one) for one in p]

    assert sum(math.exp(one) <= 0.05 for one in adjusted(log_p, method="bh")) == 4
    assert sum(math.exp(one) <= 0.05 for one in adjusted(log_p, method="bonferroni")) == 3


def test_exact_tests_of_r():
    # R documentation: fisher.test (tea, twins), wilcox.test (permeability of placental membranes).
    term, early = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21]

    assert fisher((1, 4), (3, 4)).p_value == pytest.approx(0.4857143, abs=1e-7)
    assert fisher((2, 17), (10, 13)).p_value == pytest.approx(0.0005367, abs=1e-7)
    assert mann_whitney(early, term).p_value == pytest.approx(0.2544122544, abs=1e-9)


def test_recall_at_k_is_the_mean_over_orders_of_ties():
    labels, scores = np.array([1, 0, 1, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.5, 0.1, 0.0])
    orders = [(0, *middle, 4, 5) for middle in itertools.permutations((1, 2, 3))]

    for k in range(1, 8):
        expected = np.mean([labels[list(order)][:k].sum() / 3 for order in orders])
        assert recall_at(labels, scores, k) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="no one among 2"):
        recall_at([0, 0], [0.1, 0.2], 1)
