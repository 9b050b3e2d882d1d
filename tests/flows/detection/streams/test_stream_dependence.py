import numpy as np
import pytest
from stream_making import errors, rates, wave

from flows.detection.streams.dependence import dependence, row_dependence


def test_independent_rows_count_in_full():
    dice = np.random.default_rng(0)
    found = [row_dependence(errors(rates(0.15, rows=2_000), dice)) for _ in range(50)]

    assert np.mean([one == 1 for one in found]) >= 0.8
    assert max(found) < 2.5


@pytest.mark.parametrize("copied", [0.5, 0.8, 0.95])
def test_a_chain_counts_by_its_integrated_correlation(copied):
    dice = np.random.default_rng(0)
    found = np.median([row_dependence(errors(rates(0.15, rows=20_000), dice, copied=copied)) for _ in range(9)])

    assert found == pytest.approx((1 + copied) / (1 - copied), rel=0.4)


def test_slow_waves_are_seen_in_wide_windows_only():
    found = dependence(errors(wave(20_000), np.random.default_rng(0)), np.array([10, 300]))

    assert found[0] < 1.3
    assert found[1] > 2


def test_it_rises_with_the_width():
    found = dependence(errors(rates(0.15), np.random.default_rng(0), copied=0.8), np.array([1, 4, 16, 64, 256]))

    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 100, [0.0, 1.0, 0.0]])
def test_values_that_say_nothing_count_in_full(values):
    assert row_dependence(np.array(values)) == 1.0
