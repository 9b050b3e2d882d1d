import pytest
from judging_making import levels, make_config, numbers

from flows.detection.judging.plain_rules import WARNING
from flows.detection.judging.verdict import judge
from flows.detection.univariate.statistics import ABSENT

LIMITS = make_config().detection
PLAIN = make_config(correction="none").detection


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        (numbers(psi=0.21), "plain rule psi > 0.2"),
        (numbers(ks_p=0.04), "plain rule ks_p < 0.05"),
        (numbers(outliers=0.06), "plain rule outliers > 0.05"),
        (levels(psi=0.21), "plain rule psi > 0.2"),
        (levels(chi2_p=0.04), "plain rule chi2_p < 0.05"),
    ],
)
def test_each_plain_rule_fires_by_its_name_and_warns(column, rule):
    report = judge([column], PLAIN)

    assert report.drifted[0].findings[-1] == rule
    assert report.said == f"1 of 1 features drifted: {column.name}; {WARNING}"
    assert report.plain


def test_what_the_plain_rules_call_drift_is_none_by_default():
    assert not judge([numbers(ks_p=0.04), levels(psi=0.21)], LIMITS).drifted


@pytest.mark.parametrize("column", [numbers(), levels(), numbers(n=5, ks_p=0.0)])
def test_calm_and_tiny_columns_break_no_plain_rule(column):
    assert not judge([column], LIMITS, plain=True, rows=(5000, 1000)).drifted


def test_only_psi_makes_a_plain_drift_high():
    high, low = sorted(judge([numbers("a", psi=0.3), numbers("b", ks_p=0.0)], PLAIN).features, key=lambda one: one.name)

    assert (high.high, low.high) == (True, False)


def test_a_lost_column_is_plain_drift_too():
    assert judge([numbers(n=0, error=ABSENT)], PLAIN, rows=(5000, 1000)).drifted


def test_the_configuration_has_no_say_where_the_caller_asks():
    assert not judge([numbers(ks_p=0.04)], PLAIN, plain=False).drifted
