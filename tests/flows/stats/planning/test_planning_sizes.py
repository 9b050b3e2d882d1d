"""Sample sizes and power, against R, statsmodels and published tables."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import GofChisquarePower, TTestIndPower, TTestPower
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from flows.stats.multiplicity import guardrail_power
from flows.stats.planning.adjusting import covariate_factor, design_effect
from flows.stats.planning.areas import area_n, area_power, area_variance, two_areas_n, two_areas_power
from flows.stats.planning.discordant import discordant_n, discordant_power, independent_discordance
from flows.stats.planning.means import (
    paired_means_n,
    paired_means_power,
    sd_of_difference,
    two_means_n,
    two_means_power,
)
from flows.stats.planning.proportions import two_proportions_n, two_proportions_power
from flows.stats.planning.solving import smallest_effect, smallest_n
from flows.stats.planning.split import detectable_split, goodness_power, split_n, split_power

RATES = st.floats(0.02, 0.98)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 3.0])
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.75), (0.1, 0.12), (0.002, 0.003), (0.9, 0.85)])
def test_two_proportions_agree_with_statsmodels(p, q, ratio):
    theirs = power_proportions_2indep(p - q, q, 700, ratio=ratio, return_results=False)

    assert two_proportions_power(700, p, q, ratio=ratio) == pytest.approx(theirs, abs=1e-9)
    n = samplesize_proportions_2indep_onetail(p - q, q, 0.9, ratio=ratio)
    assert two_proportions_n(p, q, power=0.9, ratio=ratio, sides=2) == pytest.approx(n, rel=1e-9)


def test_two_proportions_are_those_of_the_r_documentation():
    assert two_proportions_power(50, 0.50, 0.75) == pytest.approx(0.7401659, abs=2e-6)
    assert two_proportions_n(0.50, 0.75, power=0.90) == pytest.approx(76.7, abs=0.05)
    assert 0.5 + smallest_effect(
        lambda d: two_proportions_power(50, 0.5, 0.5 + d), 0.9, largest=0.4999
    ) == pytest.approx(0.8026, abs=5e-5)


# R package TrialSize, TwoSampleProportion.NIS(alpha, beta, p1, p2, k, delta, margin); Chow, Shao, Wang 4.2.
@pytest.mark.parametrize(
    ("alpha", "champion", "challenger", "margin", "n"),
    [
        (0.025, 0.85, 0.90, 0.10, 75.87),
        (0.025, 0.85, 0.85, 0.10, 200.15),
        (0.025, 0.85, 0.80, 0.10, 902.62),
        (0.05, 0.65, 0.85, 0.10, 24.4),
    ],
)
def test_non_inferiority_of_proportions_is_that_of_trialsize(alpha, champion, challenger, margin, n):
    found = two_proportions_n(champion, challenger, margin=margin, alpha=alpha, sides=1)

    assert found == pytest.approx(n, abs=0.06)


def test_non_inferiority_of_means_is_that_of_trialsize_within_the_degrees_of_freedom():
    # TwoSampleMean.NIS(0.025, 0.2, 1, 1, 0, -0.5) = 62.79 by the normal distribution; Student's t asks for more.
    assert 62.79 < two_means_n(0, 1, margin=0.5, alpha=0.025, sides=1) < 62.79 + 1.1


@pytest.mark.parametrize("ratio", [0.2, 1.0, 4.0])
@pytest.mark.parametrize("effect", [0.05, 0.3, 0.4])
def test_two_means_agree_with_statsmodels(effect, ratio):
    theirs = TTestIndPower()

    assert two_means_power(150, effect, 1, ratio=ratio) == pytest.approx(
        theirs.power(effect, 150, 0.05, ratio=ratio), abs=1e-9
    )
    assert two_means_n(effect, 1, ratio=ratio, power=0.9) == pytest.approx(
        theirs.solve_power(effect, alpha=0.05, power=0.9, ratio=ratio), rel=1e-6
    )


def test_two_means_are_those_of_the_r_documentation():
    assert two_means_power(20, 1, 1) == pytest.approx(0.8689528, abs=1e-6)
    assert two_means_n(1, 1, power=0.90) == pytest.approx(22.02110, rel=1e-5)
    # power.t.test(delta = .5, sd = 2, power = .90, alternative = "one.sided") and its two-sided sister
    assert two_means_n(0.5, 2, power=0.90) == pytest.approx(337.20, abs=0.01)
    assert two_means_n(0.5, 2, power=0.90, sides=1) == pytest.approx(274.73, abs=0.01)


def test_unequal_spreads_take_welchs_degrees_of_freedom():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, (20_000, 12)), rng.normal(2, 3, (20_000, 24))
    seen = np.mean(stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue <= 0.05)

    assert two_means_power(12, 2, 1, sd_challenger=3, ratio=2) == pytest.approx(seen, abs=0.012)
    assert two_means_power(50, 0.5, 1, sd_challenger=1.0) == pytest.approx(two_means_power(50, 0.5, 1), abs=1e-12)


def test_large_samples_do_not_leave_the_noncentral_t_behind():
    assert two_means_power(3e6, 0.003, 1) == pytest.approx(
        stats.norm.cdf(0.003 / math.sqrt(2 / 3e6) - stats.norm.isf(0.025)), abs=1e-6
    )
    assert two_means_n(0.001, 1) == pytest.approx(2 * ((1.959964 + 0.841621) / 0.001) ** 2, rel=1e-5)


@pytest.mark.parametrize("n", [3, 20, 500])
def test_paired_means_agree_with_statsmodels(n):
    assert paired_means_power(n, 0.2, 1) == pytest.approx(TTestPower().power(0.2, n, 0.05), abs=1e-9)


def test_paired_means_are_those_of_the_r_documentation():
    # pwr.t.test(d = 0.2, n = 60, sig.level = 0.10, type = "one.sample") gives 0.4555818
    assert paired_means_power(60, 0.2, 1, alpha=0.10) == pytest.approx(0.4555818, abs=1e-6)
    assert paired_means_n(0.5, 1, power=0.9) == pytest.approx(
        TTestPower().solve_power(0.5, alpha=0.05, power=0.9), rel=1e-6
    )


def test_discordant_pairs_are_those_of_mess_and_connor():
    def mess(n, paid, psi):  # the body of MESS::power_mcnemar_test, method "normal"
        root = math.sqrt(n * paid) * (psi - 1) - stats.norm.isf(0.025) * math.sqrt(psi + 1)
        return stats.norm.cdf(root / math.sqrt((psi + 1) - paid * (psi - 1) ** 2))

    for n, paid, psi in ((100, 0.1, 2), (250, 0.125, 2), (60, 0.05, 5)):
        assert discordant_power(n, paid * (psi - 1), paid * (psi + 1)) == pytest.approx(mess(n, paid, psi), abs=1e-9)
    assert mess(discordant_n(0.125, 0.375, power=0.9), 0.125, 2) == pytest.approx(0.9, abs=1e-9)


@pytest.mark.parametrize("test", ["midp", "exact"])
def test_summed_power_of_mcnemar_is_what_happens(test):
    n, b, c = 200, 0.08, 0.03
    rng = np.random.default_rng(5)
    x = rng.multinomial(n, [b, c, 1 - b - c], size=40_000)
    fewer, m = np.minimum(x[:, 0], x[:, 1]), x[:, 0] + x[:, 1]
    p = 2 * stats.binom.cdf(fewer, m, 0.5) - (stats.binom.pmf(fewer, m, 0.5) if test == "midp" else 0)

    assert discordant_power(n, b - c, b + c, test=test) == pytest.approx(np.mean(p <= 0.05), abs=0.008)


def test_the_power_that_the_paired_gate_must_show():
    """n = 2000, discordance 2.5 % against 3.5 %: at least .44."""
    assert discordant_power(2000, 0.01, 0.06, test="midp") >= 0.44


@pytest.mark.parametrize("test", ["midp", "exact"])
def test_from_the_summed_sample_size_on_power_is_kept(test):
    n = discordant_n(0.05, 0.2, test=test)

    assert n == int(n)
    assert all(discordant_power(n + k, 0.05, 0.2, test=test) >= 0.8 for k in range(12))
    assert discordant_n(0.05, 0.2, test="exact") > discordant_n(0.05, 0.2, test="midp")


def test_errors_that_overlap_need_fewer_rows_than_independent_ones():
    worst = independent_discordance(0.85, 0.86)

    assert discordant_n(0.01, 0.06) < 0.3 * discordant_n(0.01, worst)
    # Independent errors on the same rows are as good as twice the rows of a split.
    assert 2 * discordant_n(0.01, worst) == pytest.approx(2 * two_proportions_n(0.85, 0.86), rel=0.02)


def test_areas_are_those_of_the_tests_of_proc():
    assert area_power(41, 72, 0.73) == pytest.approx(0.9897453, abs=1e-6)
    assert area_n(0.7313686, zeros_per_one=1.7, power=0.95) == pytest.approx(29.29764, rel=1e-5)
    assert area_n(0.7313686, zeros_per_one=72 / 41, power=0.9) == pytest.approx(23.5598674, rel=1e-5)
    assert area_n(0.7313686, power=0.9) == pytest.approx(29.5697422, rel=1e-5)
    assert smallest_effect(lambda d: area_power(41, 72, 0.5 + d), 0.95, largest=0.4999) == pytest.approx(
        0.1961054, abs=1e-5
    )


# Obuchowski, Lieber, Wians (2004), table 4: zeros per one, area, ones; one-sided alpha 0.05, power 0.9.
@pytest.mark.parametrize(
    ("kappa", "area", "ones"),
    [(0.25, 0.6, 334), (0.25, 0.7, 80), (1, 0.6, 135), (1, 0.7, 33), (1, 0.8, 14), (2, 0.6, 102), (4, 0.7, 21)],
)
def test_areas_are_those_of_obuchowski(kappa, area, ones):
    assert math.ceil(area_n(area, zeros_per_one=kappa, power=0.9, sides=1)) == pytest.approx(ones, abs=1)


# Hanley and McNeil (1982), table III: rows of each class, one-sided alpha 0.05.
@pytest.mark.parametrize(("power", "rows"), [(0.8, 652), (0.9, 897), (0.95, 1131)])
def test_two_areas_are_those_of_hanley_and_mcneil(power, rows):
    assert two_areas_n(0.70, 0.75, ones=0.5, sides=1, power=power) / 2 == pytest.approx(rows, rel=0.004)


def test_the_standard_error_of_an_area_is_that_of_hanley_and_mcneil():
    assert math.sqrt(area_variance(0.893, 51, 58)) == pytest.approx(0.0325, abs=5e-5)


def test_the_same_rows_pay_for_areas_too():
    paired = two_areas_n(0.80, 0.82, ones=0.3, correlation=0.8)

    assert paired == pytest.approx(0.2 * two_areas_n(0.80, 0.82, ones=0.3), rel=0.01)
    assert two_areas_power(paired, 0.80, 0.82, ones=0.3, correlation=0.8) == pytest.approx(0.8, abs=1e-9)


def test_the_split_is_found_as_statsmodels_and_r_say():
    theirs = GofChisquarePower()

    assert split_power(20_000, [50, 50], [52, 48]) == pytest.approx(
        theirs.power(0.04, 20_000, 0.001, n_bins=2), abs=1e-9
    )
    assert split_n([90, 5, 5], [88, 7, 5]) == pytest.approx(
        theirs.solve_power(math.sqrt(0.02**2 / 0.9 + 0.02**2 / 0.05), alpha=0.001, power=0.8, n_bins=3), rel=1e-6
    )
    # pwr.chisq.test(w = 0.289, df = 3, N = 100) and (w = 0.1, df = 20, power = 0.8) of the documentation of pwr
    assert goodness_power(100, 0.289, 3) == pytest.approx(0.6750777, abs=1e-6)
    assert smallest_n(lambda n: goodness_power(n, 0.1, 20), 0.8) == pytest.approx(2096.079, rel=1e-5)


def test_arms_without_weight_are_no_degree_of_freedom():
    assert split_power(9000, [50, 50, 0], [52, 48, 0]) == split_power(9000, [50, 50], [52, 48])


def test_the_detectable_split_is_detected():
    excess = detectable_split(10_000, 0.1, power=0.9)

    assert split_power(10_000, [0.9, 0.1], [0.9 - excess, 0.1 + excess]) == pytest.approx(0.9, abs=1e-8)
    assert detectable_split(5, 0.5) == math.inf


def test_keys_covariates_and_guardrails_change_the_sample_as_published():
    assert design_effect(1, 0.3) == 1
    assert design_effect(20, 0.05) == pytest.approx(1.95)
    assert covariate_factor(-0.5) == 0.75
    assert guardrail_power(0.8, 0) == pytest.approx(0.8)
    assert guardrail_power(0.8, 3) == pytest.approx(0.95)


@given(p=RATES, q=RATES, ratio=st.floats(0.1, 10))
def test_swapping_the_arms_swaps_the_sample(p, q, ratio):
    if abs(p - q) < 1e-3:
        return
    n = two_proportions_n(p, q, ratio=ratio)

    assert two_proportions_n(q, p, ratio=1 / ratio) == pytest.approx(n * ratio, rel=1e-6)


@given(n=st.floats(10, 1e6), more=st.floats(1.01, 5), effect=st.floats(0.01, 2))
def test_more_rows_never_lose_power(n, more, effect):
    assert two_means_power(n * more, effect, 1) >= two_means_power(n, effect, 1) - 1e-9


@given(effect=st.floats(0.01, 3), scale=st.floats(1e-3, 1e3))
def test_the_unit_of_a_mean_does_not_matter(effect, scale):
    assert two_means_n(effect * scale, scale) == pytest.approx(two_means_n(effect, 1), rel=1e-6)


@given(power=st.floats(0.5, 0.99), effect=st.floats(0.02, 1))
def test_a_sample_size_gives_its_power_back(power, effect):
    n = two_means_n(effect, 1, power=power)

    assert two_means_power(n, effect, 1) == pytest.approx(max(power, two_means_power(1.5, effect, 1)), abs=1e-6)


def test_impossible_questions_say_what_is_wrong():
    for asked, said in [
        (lambda: two_proportions_n(0.5, 0.5), "the effect is 0 from the bound"),
        (lambda: two_proportions_n(0.85, 0.70, margin=0.1, sides=1), "the effect is -0.05 from the bound"),
        (lambda: two_proportions_power(50, 0.0, 0.5), "champion is 0.0; it must lie strictly between"),
        (lambda: two_proportions_power(50, 0.2, 0.5, ratio=0), "ratio is 0; it must be above 0"),
        (lambda: two_proportions_power(50, 0.2, 0.5, margin=-1), "margin is -1"),
        (lambda: two_means_n(0, 1), "the effect is 0"),
        (lambda: two_means_n(1, 0), "sd is 0; it must be above 0"),
        (lambda: two_means_power(1, 1, 1), "0 degrees of freedom"),
        (lambda: two_means_power(math.nan, 1, 1), "n is nan; it must be above 0 and finite"),
        (lambda: discordant_n(0.1, 0.05), "discordance is 0.05 with a difference of 0.1"),
        (lambda: discordant_n(0, 0.05), "difference is 0"),
        (lambda: discordant_n(0.1, 0.3, alpha=1.5), "alpha is 1.5"),
        (lambda: discordant_n(0.1, 0.3, power=1), "power is 1; it must lie strictly"),
        (lambda: discordant_power(9, 0.1, 0.3, sides=3), "sides is 3; give 1 or 2"),
        (lambda: sd_of_difference(1, 1), "correlation is 1"),
        (lambda: two_areas_power(90, 0.7, 0.8, ones=0.5, correlation=1), "correlation is 1"),
        (lambda: design_effect(0.5, 0.1), "size is 0.5"),
        (lambda: design_effect(5, 1.1), "icc is 1.1"),
        (lambda: design_effect(5, 0.1, variation=-1), "variation is -1"),
        (lambda: covariate_factor(1), "correlation is 1"),
        (lambda: guardrail_power(0.8, -1), "guardrails is -1"),
        (lambda: split_n([1, 1], [1, 1]), "nothing to find"),
        (lambda: split_power(9, [1, 0], [1, 1]), "two weights above 0"),
        (lambda: split_power(9, [1, 1], [1, 1, 1]), "planned has 2 and seen 3 weights"),
        (lambda: smallest_n(lambda n: 0.1, 0.8), "is not reached by 1e+12 rows"),
        (lambda: smallest_effect(lambda d: d, 0.8, largest=0), "largest is 0"),
    ]:
        with pytest.raises(ValueError, match=said.replace("+", r"\+")):
            asked()
