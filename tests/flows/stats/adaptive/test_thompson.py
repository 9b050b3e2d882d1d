"""Weights that follow P(best), with a floor, in whole parts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, logsumexp
from scipy.stats import norm

from flows.stats.adaptive.thompson import best_arm_probabilities, largest_remainder, thompson_weights
from flows.stats.bayes.beliefs import Beta, Normal, count_belief, mean_belief, rate_belief

counts = st.tuples(st.integers(0, 300), st.integers(0, 300))


def named(beliefs):
    return {f"arm {i}": belief for i, belief in enumerate(beliefs)}


def test_two_normal_arms_are_a_normal_tail():
    best = best_arm_probabilities({"a": Normal(mean=0, sd=3, n=9), "b": Normal(mean=2, sd=4, n=9)})

    assert best["b"] == pytest.approx(norm.cdf(2 / 5), rel=1e-9)


def test_three_rates_agree_with_evan_millers_closed_form():
    # Miller (2015), eq. 12: P(C > max(A, B)) = 1 - P(A > C) - P(B > C) + double sum.
    a, b, c = (21, 83), (25, 79), (31, 73)
    i, j = np.meshgrid(np.arange(a[0]), np.arange(b[0]), indexing="ij")
    both = logsumexp(
        betaln(c[0] + i + j, a[1] + b[1] + c[1])
        - np.log((a[1] + i) * (b[1] + j))
        - betaln(1 + i, a[1])
        - betaln(1 + j, b[1])
        - betaln(*c)
    )

    def above(one, other):
        k = np.arange(one[0])
        terms = betaln(other[0] + k, one[1] + other[1]) - np.log(one[1] + k) - betaln(1 + k, one[1]) - betaln(*other)
        return math.exp(logsumexp(terms))

    expected = 1 - above(a, c) - above(b, c) + math.exp(both)
    best = best_arm_probabilities(named([Beta(a=x[0], b=x[1], n=1) for x in (a, b, c)]))

    assert best["arm 2"] == pytest.approx(expected, rel=1e-8)


def test_five_arms_agree_with_simulation():
    arms = named([rate_belief(w, n) for w, n in ((30, 400), (8, 80), (40, 500), (0, 5), (45, 450))])
    draws = np.random.default_rng(0).beta([b.a for b in arms.values()], [b.b for b in arms.values()], (400_000, 5))
    expected = np.bincount(draws.argmax(axis=1), minlength=5) / 400_000

    assert list(best_arm_probabilities(arms).values()) == pytest.approx(expected.tolist(), abs=4e-3)


@given(given_counts=st.lists(counts, min_size=1, max_size=5), share=st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_weights_add_up_keep_the_floor_and_the_order(given_counts, share):
    arms = named([rate_belief(won, won + lost) for won, lost in given_counts])
    floor = share / len(arms)
    seen = thompson_weights(arms, floor=floor)

    assert sum(seen.weights.values()) == 1_000_000
    assert all(weight >= math.floor(floor * 1_000_000 - 1e-6) for weight in seen.weights.values())
    assert sum(seen.best.values()) == pytest.approx(1.0, abs=1e-12)
    for name, weight in seen.weights.items():
        assert weight == pytest.approx(1e6 * (floor + (1 - len(arms) * floor) * seen.best[name]), abs=1)


@given(given_counts=st.lists(counts, min_size=2, max_size=4))
@settings(deadline=None, max_examples=25)
def test_the_order_of_the_arms_does_not_matter(given_counts):
    beliefs = [rate_belief(won, won + lost) for won, lost in given_counts]
    seen, turned = (list(best_arm_probabilities(named(one)).values()) for one in (beliefs, beliefs[::-1]))

    assert turned[::-1] == pytest.approx(seen, abs=1e-9)


def test_the_floor_is_additive_as_in_gbstats():
    arms = named([Normal(mean=m, sd=0.05, n=1000) for m in (0.01, 0.02, 0.03, 0.3)])
    plain, floored = thompson_weights(arms), thompson_weights(arms, floor=0.1)

    for name, weight in floored.weights.items():
        assert weight == pytest.approx(100_000 + 0.6 * plain.weights[name], abs=2)


def test_a_floor_of_one_over_k_is_an_even_split():
    arms = named([rate_belief(1, 100), rate_belief(99, 100), rate_belief(50, 100), rate_belief(2, 9)])

    assert set(thompson_weights(arms, floor=0.25).weights.values()) == {250_000}


def test_arms_without_a_variance_get_equal_weights_and_a_note():
    arms = {"old": mean_belief((500, 3.0, 90.0)), "new": mean_belief((1, 9.0, 0.0)), "odd": mean_belief((9, 1.0, 0.0))}
    seen = thompson_weights(arms, floor=0.05)

    assert sorted(seen.weights.values()) == [333_333, 333_333, 333_334]
    assert seen.note == "equal weights until new, odd has at least two different values"


def test_one_arm_gets_everything():
    seen = thompson_weights({"only": rate_belief(0, 0)}, floor=0.2)

    assert seen.weights == {"only": 1_000_000} and "single arm" in seen.note


def test_a_billion_requests_per_arm_are_no_trouble():
    n = 10**9
    arms = named([rate_belief(n // 10, n), rate_belief(n // 10 + 10_000, n), rate_belief(n // 20, n)])
    best = best_arm_probabilities(arms)

    assert best["arm 1"] == pytest.approx(norm.cdf(10_000 / math.sqrt(2 * 0.09 * n)), abs=1e-4)
    assert best["arm 2"] == 0.0 or best["arm 2"] < 1e-100


def test_rates_of_events_may_exceed_one():
    best = best_arm_probabilities({"a": count_belief(300, 100), "b": count_belief(360, 100)})

    assert best["b"] == pytest.approx(norm.cdf(0.6 / math.sqrt(3.0 / 100 + 3.6 / 100)), abs=2e-3)


def test_remainders_go_to_the_largest():
    assert largest_remainder({"a": 0.5, "b": 0.3, "c": 0.2}, 7) == {"a": 4, "b": 2, "c": 1}
    assert largest_remainder({"a": 0, "b": 5}, 3) == {"a": 0, "b": 3}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: best_arm_probabilities({}), "arms is empty"),
        (lambda: thompson_weights(named([rate_belief(1, 2)] * 4), floor=0.3), "floor is 0.3 for 4 arms"),
        (lambda: thompson_weights(named([rate_belief(1, 2)] * 2), floor=-0.1), "floor is -0.1"),
        (lambda: thompson_weights(named([rate_belief(1, 2)] * 2), floor=math.nan), "floor is nan"),
        (lambda: thompson_weights(named([rate_belief(1, 2)] * 2), total=1), "total is 1 for 2 arms"),
        (lambda: largest_remainder({"a": -1.0, "b": 2.0}, 5), "shares are"),
        (lambda: largest_remainder({"a": 0.0}, 5), "not all 0"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=r"is|are") as refusal:
        call()
    assert said in str(refusal.value)
