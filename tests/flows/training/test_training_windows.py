"""Which memory: shares by honest trials."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.training.windows import Trial, choose_window


def trial(spreads, rows=400, seed=0, size=1.0):
    """Candidates whose errors are independent, with these standard deviations."""
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=rows)
    errors = rng.normal(size=(rows, len(spreads))) * np.asarray(spreads)
    return Trial(labels=labels * size, scores=(labels[:, None] + errors) * size)


def test_without_a_trial_shares_are_even_and_it_says_that_data_do_not_suffice():
    choice = choose_window([], 4)

    assert (choice.enough, choice.shares, choice.losses, choice.best) == (False, (0.25,) * 4, None, 0)
    assert "not enough data" in choice.said


def test_trials_of_a_few_rows_do_not_count():
    assert not choose_window([trial([1, 9], rows=29)], 2).enough


def test_independent_errors_are_weighed_by_their_inverse_variance():
    choice = choose_window([trial([1.0, 2.0], rows=100_000)], 2, caution=1e-9)

    assert choice.shares == pytest.approx((0.8, 0.2), abs=0.01)


def test_a_candidate_far_worse_than_the_others_gets_next_to_nothing():
    assert choose_window([trial([1, 1, 30])], 3).shares[2] < 0.05


def test_caution_draws_shares_towards_even_ones():
    trials = [trial([1, 2, 4])]
    spreads = [np.ptp(choose_window(trials, 3, caution=caution).shares) for caution in (0.01, 0.1, 1, 100)]

    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.01


def test_newer_trials_count_more_than_older_ones():
    new, old = trial([1, 3], seed=1), trial([3, 1], seed=2)

    assert choose_window([new, old], 2, fading=0.5).shares[0] > 0.55
    assert choose_window([old, new], 2, fading=0.5).shares[0] < 0.45


def test_one_wild_stretch_does_not_decide():
    calm = [trial([1, 3], seed=seed) for seed in range(3)]
    wild = trial([3, 1], seed=9, size=1e6)

    assert choose_window([*calm, wild], 2).shares[0] > 0.6


def test_the_one_in_use_is_kept_unless_another_is_clearly_better():
    close = [trial([1.0, 0.995], seed=seed) for seed in range(4)]
    clear = [trial([1.0, 0.5], seed=seed) for seed in range(4)]

    assert choose_window(close, 2).best == 0
    assert choose_window(clear, 2).best == 1


def test_one_lucky_trial_of_four_does_not_change_the_one_in_use():
    trials = [trial([1.0, 0.4], seed=0), *(trial([1.0, 1.05], seed=seed) for seed in (1, 2, 3))]

    assert choose_window(trials, 2).best == 0


def test_faultless_candidates_share_evenly():
    labels = np.arange(50.0)
    choice = choose_window([Trial(labels=labels, scores=np.column_stack([labels, labels]))], 2)

    assert choice.shares == pytest.approx((0.5, 0.5))
    assert choice.best == 0


@given(
    spreads=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    caution=st.floats(1e-3, 10),
    size=st.floats(1e-3, 1e3),
    seed=st.integers(0, 99),
)
def test_shares_are_shares_whatever_the_unit(spreads, caution, size, seed):
    found = choose_window([trial(spreads, 60, seed)], len(spreads), caution=caution).shares
    other = choose_window([trial(spreads, 60, seed, size)], len(spreads), caution=caution).shares

    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0
    assert other == pytest.approx(found, abs=1e-6)


@given(order=st.permutations(range(4)), seed=st.integers(0, 99))
def test_the_order_of_the_candidates_does_not_matter(order, seed):
    one = trial([1, 2, 3, 4], 60, seed)
    turned = Trial(labels=one.labels, scores=one.scores[:, order])

    shares = np.array(choose_window([one], 4).shares)
    assert choose_window([turned], 4).shares == pytest.approx(tuple(shares[list(order)]), abs=1e-9)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError, match=r"trial 0 has scores of shape \(400, 2\).*fading 2.*caution 0"):
        choose_window([trial([1, 2])], 3, fading=2, caution=0)
