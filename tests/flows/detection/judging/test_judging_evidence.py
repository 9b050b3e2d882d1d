import numpy as np
import polars as pl
import pytest
from judging_making import levels, numbers
from scipy import stats

from flows.detection.judging.evidence import effect, p_value, statistic
from flows.detection.univariate.compare import compare

DICE = np.random.default_rng(8)


def measured(was, now, kind="numeric"):
    frames = (pl.DataFrame({"x": values}) for values in (was, now))
    (found,) = compare(*frames, **{kind: ["x"]})
    return found


@pytest.mark.parametrize(
    "draw",
    [DICE.normal, lambda size: DICE.uniform(size=size), lambda size: DICE.poisson(3, size).astype(float)],
    ids=["normal", "uniform", "Poisson"],
)
def test_without_drift_small_p_values_are_no_more_frequent_than_they_say(draw):
    p_values = [p_value(measured(draw(size=800), draw(size=400))) for _ in range(400)]

    assert sum(p < 0.05 for p in p_values) <= 32  # 20 expected at most; more than 32 happens once in 200
    assert sum(p < 0.005 for p in p_values) <= 8


@pytest.mark.parametrize("skew", [0.0, 1.2], ids=["equal levels", "Zipf"])
def test_without_drift_two_hundred_levels_are_no_evidence(skew):
    chances = 1 / np.arange(1, 201) ** skew
    chances /= chances.sum()
    draw = lambda size: pl.Series(DICE.choice(200, size, p=chances)).cast(pl.String)  # noqa: E731
    p_values = [p_value(measured(draw(1000), draw(1000), "categorical")) for _ in range(200)]

    assert sum(p < 0.05 for p in p_values) <= 18  # 10 expected
    assert sum(p < 0.005 for p in p_values) <= 5


def test_a_uniform_column_is_seen_at_its_edges_where_kolmogorov_smirnov_is_weak():
    was, now = DICE.uniform(size=5000), DICE.uniform(size=1000) + 0.05
    found = measured(was, now)

    assert p_value(found) < 1e-9 < found.ks_p


def test_a_level_that_only_the_window_has_is_evidence_beside_two_hundred_others():
    was = DICE.integers(0, 200, 5000).astype(str)
    now = np.where(DICE.random(1000) < 0.05, "new", DICE.integers(0, 200, 1000).astype(str))

    assert p_value(measured(was, now, "categorical")) < 1e-6


def test_nothing_measured_is_no_evidence():
    assert p_value(numbers(ks_p=None, jensen_shannon=None)) == 1.0
    assert p_value(levels(pooled_p=None)) == 1.0


@pytest.mark.parametrize(("shift", "d"), [(0.03, 0.012), (0.1, 0.04), (0.25, 0.099)])
def test_the_effect_is_the_distance_of_a_normal_that_moved_as_far(shift, d):
    assert effect(numbers(moved=shift)) == pytest.approx(d, abs=1e-3)
    assert effect(numbers(moved=shift)) == pytest.approx(2 * stats.norm.cdf(shift / 2) - 1, rel=1e-12)


def test_where_the_bulk_is_constant_the_effect_is_the_share_that_moved():
    assert effect(numbers(moved=None, ks=0.4)) == 0.4
    assert effect(numbers(moved=None, ks=None)) == 0.0


def test_the_least_shift_of_a_column_of_integers_is_no_large_effect():
    values = DICE.poisson(3, 5000).astype(float)
    found = measured(values, values[:1000] + 0.03)

    assert statistic(found) > 0.2
    assert effect(found) < 0.03


def test_the_effect_on_levels_is_free_of_chance():
    found = measured(DICE.integers(0, 200, 1000).astype(str), DICE.integers(0, 200, 1000).astype(str), "categorical")

    assert found.cramers_v_even > 0.25
    assert effect(found) < 0.1


@pytest.mark.parametrize("bins", [1, 200])
def test_too_few_values_for_the_bins_leave_jensen_shannon_out(bins):
    assert p_value(numbers(bins=bins, jensen_shannon=0.9)) == 1.0
