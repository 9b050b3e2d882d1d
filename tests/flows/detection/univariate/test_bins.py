import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from flows.detection.univariate.bins import counted, edges, jensen_shannon, psi

counts = arrays(np.float64, 6, elements=st.integers(0, 50).map(float))
FIRST = np.array([1.0, 0, 0, 0, 0, 0])  # no side is empty


@given(counts, counts)
def test_jensen_shannon_is_that_of_scipy(ours, theirs):
    ours, theirs = ours + FIRST, theirs + FIRST[::-1]

    assert jensen_shannon(ours, theirs) ** 2 == pytest.approx(jensenshannon(ours, theirs, base=2) ** 2, abs=1e-12)


@given(counts, counts)
def test_both_are_0_for_equal_shares_and_never_below(ours, theirs):
    assert psi(ours, theirs) >= 0
    assert 0 <= jensen_shannon(ours, theirs) <= 1
    assert psi(ours, ours * 1000) == pytest.approx(0, abs=0.2 if (ours == 0).any() else 1e-12)


def test_psi_is_the_textbook_sum():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.25, 0.45, 0.3])

    assert psi(p * 1000, q * 500) == pytest.approx(np.sum((q - p) * np.log(q / p)), abs=1e-12)


def test_an_empty_bin_counts_as_half_a_row_and_one_empty_on_both_sides_not_at_all():
    found = psi(np.array([100.0, 0, 0]), np.array([90.0, 10, 0]))

    assert found == pytest.approx(0.1 * np.log(1 / 0.9) + (0.1 - 0.005) * np.log(0.1 / 0.005), abs=1e-12)


def test_deciles_hold_a_tenth_each_and_ties_are_one_bin():
    assert counted(np.arange(1000.0), edges(np.arange(1000.0))).tolist() == [100] * 10
    assert counted(np.repeat([1.0, 2.0], 500), edges(np.repeat([1.0, 2.0], 500))).tolist() == [0, 500, 500, 0]


def test_a_value_below_a_least_value_that_is_an_edge_has_a_bin_of_its_own():
    cuts = edges(np.repeat([1.0, 2.0], 500))

    assert counted(np.array([0.0, 1.0, 2.0, 3.0]), cuts).tolist() == [1, 1, 1, 1]


def test_equally_wide_bins_do_not_stretch_to_a_single_value_far_out():
    values = np.append(np.linspace(0, 1, 1000), 1e6)

    assert counted(values, edges(values, "width"))[:2].min() > 20
    assert edges(np.linspace(0, 1, 1001), "width") == pytest.approx(np.arange(1, 10) / 10)
    assert edges(np.ones(5), "width").size == 1


def test_nothing_can_be_said_of_an_empty_side():
    nothing, some = np.zeros(2), np.ones(2)

    assert (psi(nothing, some), jensen_shannon(some, nothing)) == (0.0, 0.0)
