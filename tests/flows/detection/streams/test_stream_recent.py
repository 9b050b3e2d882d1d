import numpy as np
import pytest
from scipy import stats
from stream_making import errors, rates

from flows.detection.streams.recent import rise_p, windows


def test_p_of_independent_losses_is_welchs():
    dice = np.random.default_rng(1)
    recent, before = dice.gamma(2, 0.13, 100), dice.gamma(2, 0.1, 400)

    theirs = stats.ttest_ind(recent, before, equal_var=False, alternative="greater")
    assert rise_p(recent, before) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("copied", [0.0, 0.3, 0.8])
def test_p_is_small_as_seldom_as_it_says_also_when_errors_come_in_clusters(copied):
    dice = np.random.default_rng(0)
    parts = errors(rates(0.15, rows=200_000), dice, copied=copied).reshape(400, 500)

    assert np.mean([rise_p(part[400:], part[:400]) < 0.05 for part in parts]) <= 0.07


def test_p_finds_a_rise_among_clusters():
    dice = np.random.default_rng(0)
    found = [
        rise_p(errors(rates(0.5, rows=100), dice, copied=0.5), errors(rates(0.1, rows=400), dice)) for _ in range(50)
    ]

    assert np.mean(np.array(found) < 0.01) >= 0.9


@pytest.mark.parametrize("rows", [0, 1])
def test_p_of_less_than_two_losses_is_not_known(rows):
    assert rise_p(np.ones(rows), np.ones(100)) is None


def test_losses_that_do_not_vary_have_a_p_of_permutations():
    assert rise_p(np.full(10, 2.0), np.full(100, 1.0)) < 1e-6
    assert rise_p(np.full(10, 1.0), np.full(100, 1.0)) == pytest.approx(0.5)


def test_windows_end_at_the_last_row_and_the_oldest_comes_first():
    found = windows(np.arange(1_050.0), 100, 4)

    assert [(one.first, one.last) for one in found] == [(650, 749), (750, 849), (850, 949), (950, 1_049)]
    assert found[-1].mean == pytest.approx(np.arange(950, 1_050).mean())


def test_too_few_rows_have_no_window():
    assert windows(np.ones(99), 100, 4) == ()


@pytest.mark.parametrize("copied", [0.0, 0.8])
def test_intervals_hold_the_true_error_as_often_as_they_say(copied):
    stream = errors(rates(0.3, rows=200_000), np.random.default_rng(0), copied=copied)
    found = windows(stream, 500, 400)

    assert 0.9 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.98
