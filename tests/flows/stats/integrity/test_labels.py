"""Missing labels, label age and labels that came twice."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.stats.integrity.labels import missing_labels
from flows.stats.integrity.maturity import label_statement, maturity

PLAN = {"a": 1.0, "b": 1.0}
count = st.integers(0, 5000)
NAN = math.nan


def rates(served, labelled, plan=None, **options):
    names = "abcdef"
    return missing_labels(
        dict(zip(names, served, strict=False)),
        dict(zip(names, labelled, strict=False)),
        plan or dict.fromkeys(names[: len(served)], 1.0),
        **options,
    )


@given(a=count, b=count, more_a=st.integers(1, 5000), more_b=st.integers(1, 5000))
def test_one_look_agrees_with_scipy(a, b, more_a, more_b):
    if a + b == 0:
        return
    seen = rates([a + more_a, b + more_b], [a, b])
    expected = stats.chi2_contingency([[a, more_a], [b, more_b]], correction=False)

    normal = math.log(2) + stats.norm.logsf(math.sqrt(expected.statistic))

    assert seen.log_p_chi2 == pytest.approx(normal, rel=1e-9, abs=1e-9)


def test_one_look_at_three_arms_agrees_with_scipy():
    seen = rates([1000, 800, 900], [700, 600, 610])

    assert seen.p_chi2 == pytest.approx(stats.chi2_contingency([[700, 600, 610], [300, 200, 290]]).pvalue, rel=1e-9)


def test_an_arm_that_loses_labels_is_flagged_and_a_skewed_split_is_not():
    lost = rates([10_000, 10_000], [9000, 8700])
    skewed = rates([11_000, 9000], [9900, 8100])

    assert lost.mismatch and lost.gap == pytest.approx(0.03)
    assert not skewed.mismatch
    assert "see the sample ratio" in skewed.note


@given(a=count, b=count, more_a=count, more_b=count)
def test_swapping_the_arms_changes_nothing(a, b, more_a, more_b):
    seen, turned = rates([a + more_a, b + more_b], [a, b]), rates([b + more_b, a + more_a], [b, a])

    assert (seen.log_e, seen.gap, seen.log_p_chi2) == pytest.approx((turned.log_e, turned.gap, turned.log_p_chi2))
    assert math.isfinite(seen.log_p) and seen.p_value > 0
    assert not math.isnan(seen.low) and seen.low <= seen.high


@pytest.mark.parametrize(
    ("served", "labelled", "said"),
    [
        ([0, 0], [0, 0], "nothing to compare"),
        ([5, 0], [3, 0], "nothing to compare"),
        ([500, 500], [500, 500], "every request has its label"),
        ([500, 500], [0, 0], "no label yet"),
    ],
)
def test_too_little_to_compare_is_stated(served, labelled, said):
    seen = rates(served, labelled)

    assert said in seen.note and seen.p_chi2 == 1.0 and seen.log_p > math.log(0.5)


def test_tiny_p_values_keep_their_logarithm():
    seen = rates([10**9, 10**9], [10**9, 0])

    assert seen.log_p < -1e9 and seen.log_p_chi2 < -5e8 and seen.p_value > 0


def test_more_labels_than_requests_are_refused():
    with pytest.raises(ValueError, match=r"1 of 2 arms have more labels than requests \(b: 11 of 10\)"):
        rates([10, 10], [5, 11])
    with pytest.raises(ValueError, match="labels of b is -1"):
        rates([10, 10], [5, -1])


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("share", "rate"), [(0.5, 0.9), (0.05, 0.9), (0.5, 0.05)])
def test_equal_label_rates_are_flagged_in_a_thousandth_of_runs(share, rate):
    from scipy.special import gammaln

    rng, runs, looks, per_look, hits = np.random.default_rng(3), 20_000, 500, 40, 0
    prior = 1000 * np.array([1 - share, share])
    cells = np.outer([1 - share, share], [rate, 1 - rate]).ravel()
    for _ in range(runs // 1000):
        table = np.cumsum(rng.multinomial(per_look, cells, size=(1000, looks)), axis=1).reshape(1000, looks, 2, 2)
        likelihood = 0.0
        for column in (0, 1):
            seen = table[..., column]
            likelihood += np.sum(gammaln(prior + seen) - gammaln(prior), axis=-1)
            likelihood += gammaln(1000) - gammaln(1000 + seen.sum(axis=-1))
        served = table.sum(axis=-1)
        split = served / served.sum(axis=-1, keepdims=True)
        log_e = likelihood - np.sum(served * np.log(np.maximum(split, 1e-300)), axis=-1)
        hits += int(np.sum(log_e.max(axis=1) >= math.log(1000)))
    one = table[0, -1]
    ours = rates(one.sum(axis=1).tolist(), one[:, 0].tolist(), {"a": 1 - share, "b": share})
    print(f"equal label rates, {share:.0%} challenger, rate {rate}: {hits / runs:.5f} flagged")

    assert ours.log_e == pytest.approx(log_e[0, -1], abs=1e-6)
    assert hits / runs <= 0.001 + 3 * math.sqrt(0.001 * 0.999 / runs)


def test_arms_are_compared_at_equal_label_age():
    # The challenger came later; without the age, its labels seem to be missing.
    rng = np.random.default_rng(1)
    asked = np.concatenate([rng.uniform(0, 100, 4000), rng.uniform(60, 100, 1000)])
    arms = ["champion"] * 4000 + ["challenger"] * 1000
    delay = rng.exponential(10, 5000)
    came = np.where(asked + delay <= 100, asked + delay, NAN)

    naive = [np.mean(~np.isnan(came[:4000])), np.mean(~np.isnan(came[4000:]))]
    seen = maturity(asked, came, arms, now=100, age=15)

    assert naive[0] - naive[1] > 0.1
    assert seen.arms[0].share == pytest.approx(seen.arms[1].share, abs=0.04)
    assert seen.arms[0].share == pytest.approx(1 - math.exp(-1.5), abs=0.03)
    assert seen.p_value < 1e-6 and seen.age_gap > 20
    assert seen.counted.sum() == sum(arm.counted for arm in seen.arms)


def test_the_age_test_agrees_with_kruskal():
    rng = np.random.default_rng(2)
    asked = rng.integers(0, 20, 300).astype(float)
    arms = rng.choice(["a", "b", "c"], 300).tolist()

    seen = maturity(asked, np.full(300, NAN), arms, now=30, age=0)
    groups = [asked[[arm == name for arm in arms]] for name in "abc"]

    assert seen.p_value == pytest.approx(stats.kruskal(*groups).pvalue, rel=1e-9)


def test_late_labels_of_old_requests_do_not_count():
    seen = maturity([0.0, 0.0, 8.0], [3.0, 7.0, NAN], ["a", "a", "b"], now=10, age=5)

    assert seen.counted.tolist() == [True, False, False]
    assert (seen.arms[0].late, seen.arms[0].missing, seen.arms[1].mature) == (1, 0, 0)
    assert [(p.arm, p.age, p.at_risk, p.labelled) for p in seen.curve if p.age in (5, 10)] == [
        ("a", 5, 2, 1),
        ("a", 10, 2, 2),
        ("b", 5, 0, 0),
        ("b", 10, 0, 0),
    ]


def test_odd_times_are_counted_in_words():
    note = maturity([1.0, 5.0, 20.0], [0.5, 12.0, NAN], ["a", "a", "b"], now=10, age=2).note

    assert "1 requests lie in the future" in note
    assert "1 labels lie in the future" in note
    assert "1 labels lie before their request" in note


def test_nothing_mature_is_stated():
    seen = maturity([], [], [], now=0, age=1)

    assert seen.arms == () and seen.p_value == 1.0 and seen.note == "no request is old enough"
    assert maturity([9.0], [NAN], ["a"], now=10, age=5).note == "no request is old enough"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: maturity([1, 2], [1], ["a", "b"], now=3, age=1), "lengths differ (requested: 2, labelled: 1"),
        (lambda: maturity([1, NAN], [1, 2], ["a", "b"], now=3, age=1), "requested has 1 of 2"),
        (lambda: maturity([1, 2], [1, math.inf], ["a", "b"], now=3, age=1), "labelled has 1 of 2"),
        (lambda: maturity([1], [1], ["a"], now=3, age=-1), "age is -1"),
        (lambda: label_statement(["a"], [1, 2]), "lengths differ (keys: 1, values: 2)"),
        (lambda: label_statement(["a"], [NAN]), "values has 1 of 1"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=r"differ|has|is") as refusal:
        call()
    assert said in str(refusal.value)


def test_the_first_label_of_a_request_is_kept_and_contradictions_are_counted():
    seen = label_statement(["x", "y", "x", "x", "z"], [1.0, 0.0, 1.0, 0.0, 1.0])

    assert seen.kept.tolist() == [True, True, False, False, True]
    assert (seen.keys, seen.duplicates, seen.conflicts, seen.conflicting_keys) == (3, 1, 1, 1)
    assert label_statement([], []).note == "" and label_statement(["a", "b"], [1, 0]).note == ""
