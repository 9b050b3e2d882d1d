import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging_making import levels, make_config, moved, numbers
from scipy import stats

from flows.detection.judging.report import DriftReport
from flows.detection.judging.verdict import REUSE, judge, judged
from flows.detection.univariate.statistics import ABSENT

LIMITS = make_config().detection


def verdicts(*columns, limits=LIMITS, **options):
    return judged(columns, limits, rows=1000, **options)


def test_values_and_missing_values_are_corrected_together():
    lost = {"missing": 200, "reference_missing": 0}
    x, y = verdicts(moved("x", ks_p=0.006, jensen_shannon=None, **lost), moved("y", ks_p=0.3, jensen_shannon=None))
    tests = [x.p_value, y.p_value, x.missing_p]

    assert [x.adjusted, y.adjusted, x.missing_adjusted] == pytest.approx(
        np.minimum(1, REUSE * stats.false_discovery_control(tests))
    )


def test_a_trifle_that_many_rows_prove_is_no_drift_and_lowers_no_bar():
    trifles = [numbers(f"n{i}", ks_p=1e-30, moved=0.05) for i in range(40)]
    borderline = moved("x", ks_p=1e-4, jensen_shannon=None)
    found = verdicts(*trifles, borderline)

    assert not any(one.drifted for one in found)
    assert [found[0].p_value < 1e-9, found[0].adjusted] == [True, 1.0]
    assert found[-1].adjusted == pytest.approx(REUSE * 41 * found[-1].p_value)


def test_columns_without_values_cost_the_others_no_power():
    one, *_ = verdicts(moved(ks_p=5e-4, jensen_shannon=None), *(numbers(f"e{i}", n=0) for i in range(50)))

    assert one.adjusted == pytest.approx(REUSE * one.p_value)
    assert one.drifted


def test_the_level_is_lowered_for_the_reference_that_is_always_the_same():
    at = LIMITS.fdr / REUSE * 0.6
    found = [verdicts(moved(ks_p=p, jensen_shannon=None))[0].drifted for p in (0.9 * at, 1.1 * at)]

    assert found == [True, False]


@pytest.mark.parametrize(
    ("psi", "high"), [(0.3, True), (0.15, False)], ids=["beyond the threshold", "below the threshold"]
)
def test_high_is_drift_with_a_psi_beyond_the_threshold(psi, high):
    (found,) = verdicts(moved(psi=psi))

    assert (found.drifted, found.high) == (True, high)


def test_a_psi_that_chance_explains_is_not_high():
    changed = {"pooled_p": 1e-12, "pooled_v": 0.5, "pooled_bins": 100, "psi": 0.5, "n": 1000, "reference_n": 1000}
    few, many = verdicts(levels("few", bins=20, **changed), levels("many", bins=200, **changed))

    assert (few.drifted, few.high) == (True, True)
    assert (many.drifted, many.high) == (True, False)


@pytest.mark.parametrize(("now", "drifted"), [(50, False), (300, True)])
def test_missing_values_are_drift_of_their_own_from_a_tenth_on(now, drifted):
    (found,) = verdicts(numbers(n=1000 - now, missing=now))

    assert (found.drifted, found.high) == (drifted, drifted)
    assert found.findings == (f"missing values rose by {now / 10:.1f}% of the rows",)


def test_a_column_that_could_not_be_read_lost_all_its_values():
    (found,) = verdicts(numbers(n=0, error="types differ: Float64 in the reference, Datetime in the window"))

    assert (found.drifted, found.missing_change, found.enough) == (True, 1.0, False)
    assert found.findings[0].startswith("types differ")


def test_a_column_that_is_gone_drifted_without_a_doubt_unless_it_never_had_values():
    gone, never = verdicts(numbers("x", n=0, error=ABSENT), numbers("y", n=0, reference_n=0, error=ABSENT))

    assert (gone.drifted, gone.high, gone.gone, gone.doubt) == (True, True, True, 0.0)
    assert (never.drifted, never.gone) == (False, False)
    assert never.findings == (ABSENT, "the reference has no values")


def test_reports_put_the_largest_change_first_and_count():
    report = judge([numbers("a"), moved("b"), moved("c", moved=0.5), numbers("d", n=3)], LIMITS, rows=(5000, 1000))

    assert [one.name for one in report.features][:2] == ["c", "b"]
    assert report.said == "2 of 4 features drifted: c, b; not enough values for d"
    assert report.metrics()["drifted_features"] == 2.0
    assert report.metrics()["high_drift_features"] == 2.0


def test_too_few_rows_are_not_enough_data_and_never_no_drift():
    report = judge([moved()], LIMITS, rows=(5000, 999))

    assert (report.enough, report.features) == (False, ())
    assert report.said == "not enough data: 999 rows, 1000 are needed"
    assert {value for name, value in report.metrics().items() if name != "rows"} == {None}


def test_rows_are_counted_from_the_columns_where_nobody_says():
    assert judge([moved(missing=500)], LIMITS).rows == 1500
    assert not judge([], LIMITS).enough


def test_old_reports_can_still_be_read():
    raw = b'{"reference_rows":5,"rows":5,"enough":true,"said":"","features":[{"name":"x","kind":"numeric","n":5}]}'

    assert DriftReport.from_json(raw).features[0].effect == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 3), st.integers(0, 1000), st.integers(0, 5000)), min_size=1, max_size=12
    ),
    st.randoms(),
)
def test_the_order_of_the_columns_changes_no_verdict(drawn, dice):
    columns = [
        numbers(f"x{i}", ks_p=p, moved=size, n=1000 - gone, missing=gone, reference_missing=before)
        for i, (p, size, gone, before) in enumerate(drawn)
    ]
    mixed = columns.copy()
    dice.shuffle(mixed)

    assert judge(columns, LIMITS, rows=(5000, 1000)) == judge(mixed, LIMITS, rows=(5000, 1000))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=20), st.integers(0, 19), st.floats(0, 1))
def test_stronger_evidence_never_takes_a_verdict_back(p_values, which, factor):
    which %= len(p_values)
    lower = [p * factor if i == which else p for i, p in enumerate(p_values)]
    before, after = (
        verdicts(*(moved(f"x{i}", ks_p=p, jensen_shannon=None) for i, p in enumerate(some)))
        for some in (p_values, lower)
    )

    assert all(now.drifted for was, now in zip(before, after, strict=True) if was.drifted)


def test_reports_survive_their_json():
    report = judge([numbers("a"), moved("b"), levels()], LIMITS)

    assert DriftReport.from_json(report.to_json()) == report


def test_a_p_value_of_zero_is_a_verdict_like_any_other():
    (found,) = verdicts(moved(ks_p=0.0))

    assert (found.drifted, found.doubt < 1e-200) == (True, True)
