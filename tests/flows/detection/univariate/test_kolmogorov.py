import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstwo

from flows.detection.univariate.kolmogorov import one_sided_p, two_sided_p

SIZES = (1, 2, 3, 7, 20, 139, 140, 141, 500, 1_000, 4_096, 4_097, 9_000, 33_333, 99_999, 100_001, 250_000)


def distances(n):
    dice = np.random.default_rng(n)
    spread = np.concatenate([dice.uniform(0.2, 2.2, 30), dice.uniform(2.2, 6, 5)]) / np.sqrt(n)
    return np.concatenate([spread[spread < 1], dice.uniform(0, 1, 3), [0.0, 1.0, 0.5, 0.5 / n, 1 / n, (n - 1) / n]])


@pytest.mark.parametrize("n", SIZES)
def test_the_p_value_is_that_of_scipy(n):
    asked = distances(n) if n < 10_000 else distances(n)[::6]
    with np.errstate(divide="ignore"):
        theirs = kstwo.sf(asked, n)

    assert [two_sided_p(d, n) for d in asked.tolist()] == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("n", [5_000, 250_000])
def test_a_tiny_p_value_is_right_in_all_its_digits(n):
    distance = (20 / n) ** 0.5

    assert two_sided_p(distance, n) == pytest.approx(kstwo.sf(distance, n), rel=1e-11)


def test_beyond_a_million_the_limit_of_scipy_is_taken():
    assert two_sided_p(0.002, 1_500_000) == pytest.approx(kstwo.sf(0.002, 1_500_000), abs=1e-12)


@given(st.integers(1, 3_000), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_distance_is_never_likelier(n, one, other):
    near, far = sorted((one, other))

    assert 0 <= two_sided_p(far, n) <= two_sided_p(near, n) + 1e-13 <= 1 + 1e-13


def test_without_values_there_is_nothing_to_doubt():
    assert two_sided_p(1.0, 0) == 1.0


def test_the_one_sided_sum_of_few_terms_is_that_of_all():
    assert one_sided_p(0.03, 5_000) == pytest.approx(kstwo.sf(0.03, 5_000) / 2, rel=1e-12)
