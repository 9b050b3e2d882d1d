"""The numbers behind the pictures, against scikit-learn and by hand."""

import numpy as np
import pytest
from reports_making import binary_rows
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from flows.reports import curves
from flows.reports.axes import clock, linear, spread


@pytest.fixture(params=[None, 1], ids=["distinct", "tied"])
def rows(request):
    y, scores, *_ = binary_rows(300, seed=5)
    return y, scores if request.param is None else np.round(scores, request.param)


def test_roc_agrees_with_scikit_learn(rows):
    x, y, _ = roc_curve(*rows, drop_intermediate=False)
    curve = curves._picked(*rows)

    np.testing.assert_allclose(np.r_[0, curve[1] / curve[1][-1]], x, atol=1e-12)
    np.testing.assert_allclose(np.r_[0, curve[0] / curve[0][-1]], y, atol=1e-12)


def test_precision_and_recall_agree_with_scikit_learn(rows):
    precision, recall, _ = precision_recall_curve(*rows)
    hits, misses = curves._picked(*rows)

    np.testing.assert_allclose(hits / (hits + misses), precision[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(hits / hits[-1], recall[:-1][::-1], atol=1e-12)
    assert curves.average_precision(*rows) == pytest.approx(average_precision_score(*rows), abs=1e-12)


def test_a_thinned_curve_keeps_its_ends_and_its_area():
    y, scores, *_ = binary_rows(50_000)
    fine_x, fine_y, _ = roc_curve(y, scores)
    thin = curves.roc(y, scores)

    assert thin.x.size <= 2 * curves.MOST_POINTS
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(thin.y, thin.x) == pytest.approx(np.trapezoid(fine_y, fine_x), abs=1e-3)


def test_reliability_intervals_are_wilsons():
    from statsmodels.stats.proportion import proportion_confint

    y, scores, *_ = binary_rows(1000)
    bins = curves.reliability(y, scores)
    low, high = proportion_confint(np.rint(bins.y * bins.n), bins.n, method="wilson")

    np.testing.assert_allclose(bins.low, low, atol=1e-6)
    np.testing.assert_allclose(bins.high, high, atol=1e-6)
    assert bins.n.sum() == 1000


def test_equal_scores_make_one_group():
    bins = curves.reliability(np.arange(50) % 2.0, np.full(50, 0.3))

    assert bins.n.tolist() == [50]


@pytest.mark.parametrize("span", [(0.0, 0.0), (1e-300, 2e-300), (-1e300, 1e300), (1e8, 1e8 + 1e-6), (-5.0, 17.0)])
def test_an_axis_has_a_few_ticks_whatever_the_range(span):
    axis = linear(*span)

    assert 1 <= len(axis.ticks) <= 8
    assert axis.high > axis.low


@pytest.mark.parametrize("span", [1, 60, 5000, 86_400, 30 * 86_400, 40 * 365 * 86_400, 1e12])
def test_a_clock_has_a_few_ticks_whatever_the_range(span):
    assert len(clock(1.7e9, 1.7e9 + span).ticks) <= 8


def test_nothing_has_a_range_too():
    assert spread([None, float("nan")]) == (0.0, 1.0)
