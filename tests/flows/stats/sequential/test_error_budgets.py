"""Wald's test of an error budget and CUSUM charts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stats.sequential.cusum import (
    Chart,
    bernoulli_reference,
    bernoulli_run_length,
    limit_for,
    poisson_reference,
    poisson_run_length,
)
from flows.stats.sequential.wald_sprt import ErrorBudget, exact_characteristics, wald_characteristics

budget = ErrorBudget(allowed=0.01, broken=0.03, alpha=0.05, beta=0.1)


def simulated(test: ErrorBudget, rate: float, horizon: int, runs: int, seed: int) -> tuple[float, float]:
    """Share of "broken" and mean decision time."""
    errors = (np.random.default_rng(seed).random((runs, horizon)) < rate).cumsum(axis=1)
    fine, failed = test.steps
    score = errors * failed + (np.arange(1, horizon + 1) - errors) * fine
    over = (score >= test.upper) | (score <= test.lower)
    first = np.where(over.any(axis=1), over.argmax(axis=1), horizon - 1)
    return float(np.mean(score[np.arange(runs), first] >= test.upper)), float(np.mean(first + 1))


def test_both_error_rates_are_kept_as_wald_proved():
    good, bad = (exact_characteristics(budget, rate, 20_000) for rate in (0.01, 0.03))

    assert good.broken <= 0.05 / 0.9
    assert 1 - bad.broken <= 0.1 / 0.95
    assert good.broken + 1 - bad.broken <= 0.05 + 0.1
    assert good.undecided < 1e-9


@pytest.mark.parametrize("rate", [0.01, 0.018, 0.03])
def test_all_paths_summed_agree_with_a_simulation(rate):
    exact = exact_characteristics(budget, rate, 1500)
    broken, expected = simulated(budget, rate, 1500, 3000, 1)

    assert exact.broken == pytest.approx(broken, abs=3 * math.sqrt(0.25 / 3000))
    assert exact.expected == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("rate", [0.01, 0.018, 0.03])
def test_walds_approximation_is_near_all_paths_summed(rate):
    exact, near = exact_characteristics(budget, rate, 20_000), wald_characteristics(budget, rate)

    assert near.broken == pytest.approx(exact.broken, abs=0.05)
    assert near.expected == pytest.approx(exact.expected, rel=0.2)


def test_the_operating_characteristic_passes_through_alpha_and_one_minus_beta():
    assert wald_characteristics(budget, 0.01).broken == pytest.approx(0.05, abs=1e-9)
    assert wald_characteristics(budget, 0.03).broken == pytest.approx(0.9, abs=1e-9)


def test_between_both_rates_where_nothing_drifts_the_formula_has_its_limit():
    fine, failed = budget.steps
    still = -fine / (failed - fine)
    limit, near = wald_characteristics(budget, still), wald_characteristics(budget, still * 1.0001)

    assert (limit.broken, limit.expected) == pytest.approx((near.broken, near.expected), rel=1e-2)


def test_a_budget_is_judged_and_nonsense_refused():
    assert budget.judge(0, 2) == "continue"
    assert budget.judge(0, 500) == "kept"
    assert budget.judge(9, 100) == "broken"
    with pytest.raises(ValueError, match="5 errors among 4 requests"):
        budget.judge(5, 4)
    with pytest.raises(ValueError, match="broken must exceed allowed"):
        ErrorBudget(allowed=0.1, broken=0.1)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=60), st.floats(0.01, 0.9))
def test_the_path_is_the_recursion(values, reference):
    chart, total, path = Chart(reference=reference, limit=3.0), 0.0, []
    for value in values:
        total = chart.update(total, value)
        path.append(total)

    assert chart.path(values) == pytest.approx(path, abs=1e-9)


def test_run_lengths_agree_with_a_simulation():
    chart = Chart(reference=0.02, limit=2.0)
    values = (np.random.default_rng(2).random((1000, 6000)) < 0.03).astype(float)
    seen = [6000 if (first := chart.first_alarm(row)) is None else first + 1 for row in values]

    assert bernoulli_run_length(chart, 0.03) == pytest.approx(np.mean(seen), rel=0.1)


def test_run_lengths_by_hand():
    # Places 0, 1/4 ... 5/4 with six linear equations: 16/3. One place only: 1 / P(Y > 2).
    assert bernoulli_run_length(Chart(reference=0.25, limit=1.5), 0.5) == pytest.approx(16 / 3, rel=1e-12)
    assert poisson_run_length(Chart(reference=2.0, limit=1.0), 2.0) == pytest.approx(
        1 / (1 - 5 * math.exp(-2)), rel=1e-12
    )


def test_poisson_run_lengths_agree_with_a_simulation():
    chart = Chart(reference=5.0, limit=5.0)
    values = np.random.default_rng(4).poisson(5.0, (1000, 400))
    seen = [400 if (first := chart.first_alarm(row)) is None else first + 1 for row in values]

    assert poisson_run_length(chart, 5.0) == pytest.approx(np.mean(seen), rel=0.1)


def test_a_limit_is_the_smallest_that_keeps_the_run_length():
    reference = bernoulli_reference(0.05, 0.1)
    limit = limit_for(reference, 1000, 0.05)

    assert bernoulli_run_length(Chart(reference=reference, limit=limit), 0.05) >= 1000
    assert bernoulli_run_length(Chart(reference=reference, limit=limit - 0.01), 0.05) < 1000


def test_references_lie_between_good_and_bad():
    assert 0.01 < bernoulli_reference(0.01, 0.02) < 0.02
    assert 4 < poisson_reference(4, 7) < 7
    with pytest.raises(ValueError, match="bad must be the greater"):
        poisson_reference(4, 4)
    with pytest.raises(ValueError, match="take a finer mesh"):
        bernoulli_run_length(Chart(reference=0.001, limit=1.0), 0.5)
