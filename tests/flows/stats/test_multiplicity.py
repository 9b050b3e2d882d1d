"""Several goals at once: agreement with statsmodels, peers and laws."""

import math
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from flows.stats.multiplicity import adjust, adjusted, guardrail_power, simultaneous_levels

NAMES = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bh": "fdr_bh",
    "by": "fdr_by",
}
p_values = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=9)


def logs(p):
    return {str(i): math.log(one) for i, one in enumerate(p)}


@pytest.mark.parametrize("method", NAMES)
@given(p=p_values)
def test_agrees_with_statsmodels(method, p):
    ours = [one.p_value for one in adjust(logs(p), method=method).values()]
    with mock.patch("gc.collect"):  # by Holm it collects the garbage of the whole process each time
        theirs = multipletests(p, method=NAMES[method])[1].tolist()

    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # tea-tasting, tests/test_multiplicity.py, adjust_fdr
        ("by", [0.049, 0.147, 0.049, 0.1176, 0.049, 0.11025]),
        ("bh", [0.02, 0.06, 0.02, 0.048, 0.02, 0.045]),
    ],
)
def test_agrees_with_tea_tasting(method, expected):
    p = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]

    assert [one.p_value for one in adjust(logs(p), method=method).values()] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("method", NAMES)
def test_p_values_that_underflow_keep_their_order_and_size(method):
    log_p = [-5000.0, -4000.0, -3.0]
    found = adjusted(log_p, method=method)

    assert found[0] < -4990 and -4000 <= found[1] < -3990
    assert all(one.p_value > 0 for one in adjust(dict(zip("abc", log_p, strict=True)), method=method).values())


@given(p=p_values)
def test_hommel_rejects_what_hochberg_rejects_and_that_what_holm_rejects(p):
    found = [adjusted(list(logs(p).values()), method=method) for method in ("bonferroni", "holm", "hochberg", "hommel")]

    for weaker, stronger in pairwise(found):
        assert np.all(np.array(stronger) <= np.array(weaker) + 1e-12)


@given(p=p_values, method=st.sampled_from(sorted(NAMES)))
def test_the_order_of_the_goals_does_not_matter(p, method):
    values = list(logs(p).values())

    assert adjusted(values[::-1], method=method)[::-1] == pytest.approx(adjusted(values, method=method), abs=1e-12)


def test_one_goal_is_left_as_it_is_and_no_goal_gives_nothing():
    assert adjusted([-3.5]) == [-3.5]
    assert adjusted([]) == [] and adjust({}) == {} and simultaneous_levels({}) == {}


@given(p=p_values)
def test_intervals_of_holm_are_wider_than_alone_and_no_wider_than_bonferroni(p):
    holm, bonferroni = (simultaneous_levels(logs(p), method=method) for method in ("holm", "bonferroni"))
    for name, level in holm.items():
        assert level.sign_only or 0.95 - 1e-12 <= level.confidence <= bonferroni[name].confidence + 1e-12
        if level.sign_only:
            assert adjust(logs(p))[name].rejected


def test_all_goals_get_bonferronis_level_once_all_are_rejected():
    levels = simultaneous_levels({"a": -9.0, "b": -9.0})

    assert [(one.confidence, one.sign_only) for one in levels.values()] == [(0.975, False)] * 2


def test_intervals_compatible_with_holm_hold_together():
    from scipy import stats

    rng = np.random.default_rng(5)
    truth = np.array([0.0, 0.0, 1.5, 4.0])
    missed = 0
    for z in rng.normal(truth, 1, size=(4000, 4)):
        log_p = math.log(2) + stats.norm.logsf(np.abs(z))
        levels = simultaneous_levels({str(i): float(one) for i, one in enumerate(log_p)})
        wide = [stats.norm.ppf((1 + one.confidence) / 2) for one in levels.values()]
        wrong = [
            (np.sign(zi) != np.sign(ti)) if level.sign_only else abs(zi - ti) > half
            for zi, ti, half, level in zip(z, truth, wide, levels.values(), strict=True)
        ]
        missed += any(wrong)

    assert missed / 4000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)


def test_power_of_guardrails_follows_the_paper():
    assert guardrail_power(0.8, 0) == pytest.approx(0.8)
    assert guardrail_power(0.8, 1) == pytest.approx(0.9)
    assert guardrail_power(0.9, 4) == pytest.approx(0.98)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: adjusted([0.1]), "1 of 1 are NaN or above 0"),
        (lambda: adjusted([math.nan, -1.0]), "1 of 2 are NaN or above 0"),
        (lambda: adjusted([-1.0], method="sidak"), "method is 'sidak'"),
        (lambda: adjust({"a": -1.0}, alpha=0.0), "alpha is 0.0"),
        (lambda: simultaneous_levels({"a": -1.0}, method="bh"), "method is 'bh'"),
        (lambda: guardrail_power(1.2, 1), "power is 1.2"),
        (lambda: guardrail_power(0.8, -1), "guardrails is -1"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=r"is|are") as refusal:
        call()
    assert said in str(refusal.value)
