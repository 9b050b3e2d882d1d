"""How long always-valid tests run, against simulation and against the tests themselves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from flows.stats.planning import waiting
from flows.stats.planning.crossing import mixture_bound, passage
from flows.stats.planning.waiting import discordant_waiting, sequence_waiting, tuned_scale, two_sample_clock
from flows.stats.sequential.arms import arms, pooled_variance
from flows.stats.sequential.asymptotic import paired_sequence
from flows.stats.sequential.pairs import discordant_pairs


def pairs_told(win, rng, *, runs=4000, most=1200):
    """Number of discordant rows at which the e-process first reaches 20, the challenger ahead."""
    won = np.cumsum(rng.random((runs, most)) < win, axis=1)
    m = np.arange(1, most + 1)
    log_e = betaln(1 + won, 1 + m - won) - betaln(1, 1) + m * math.log(2)
    return np.argmax((log_e >= math.log(20)) & (2 * won > m), axis=1) + 1


def test_the_wait_for_discordant_pairs_is_what_happens():
    rng = np.random.default_rng(1)
    told = pairs_told((1 + 0.02 / 0.06) / 2, rng)
    requests = told + rng.negative_binomial(told, 0.06)
    seen = discordant_waiting(0.02, 0.06)

    assert seen.expected == pytest.approx(requests.mean(), abs=4 * requests.std() / math.sqrt(4000))
    assert np.mean(requests <= seen.enough) == pytest.approx(0.8, abs=0.025)
    assert "exact" in seen.method


def test_the_wait_for_a_sequence_is_what_happens():
    rng, runs = np.random.default_rng(2), 4000
    n = np.arange(1, 1501)
    bound = mixture_bound(n, tuned_scale(500, 0.05), 0.05)
    bound[:29] = np.inf
    told = np.argmax(np.cumsum(rng.normal(0.2, 1, (runs, n.size)), axis=1) >= bound, axis=1) + 1
    seen = sequence_waiting(0.2, 1, first=30)

    assert seen.expected == pytest.approx(told.mean(), rel=0.025)
    assert np.mean(told <= seen.enough) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("won", "lost"), [(20, 5), (30, 12), (60, 30), (400, 330)])
def test_the_bounds_are_those_of_the_test_on_discordant_pairs(won, lost):
    m = won + lost
    bound = waiting._won_bounds(m, 0.05, 1.0)[m]

    assert discordant_pairs(m - bound, bound, m, alpha=0.05).log_e >= math.log(20)
    assert discordant_pairs(m - bound + 1, bound - 1, m, alpha=0.05).log_e < math.log(20)
    assert waiting._won_bounds(4, 0.05, 1.0).tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("n", [100, 500, 20_000])
def test_the_bound_is_that_of_the_asymptotic_confidence_sequence(n):
    seen = paired_sequence((n, 0.0, float(n - 1)), alpha=0.05, tuned_to=500)

    assert seen.high * n == pytest.approx(float(mixture_bound(n, tuned_scale(500, 0.05), 0.05)), rel=1e-9)


def test_without_a_difference_hardly_anybody_crosses():
    seen = passage(1e-9, tuned_scale(500, 0.05), 0.05, first=30, last=1e6)

    assert 0.5 * 0.025 < seen.found[-1] <= 0.025
    assert seen.ended[-1] <= 0.05
    assert np.all(np.diff(seen.found) >= 0)


def test_beyond_sixty_thousand_pairs_the_normal_limit_goes_on_where_recursion_ends(monkeypatch):
    exact = discordant_waiting(0.003, 0.06)
    monkeypatch.setattr(waiting, "_EXACT", 1)
    limit = discordant_waiting(0.003, 0.06)

    assert (exact.method == limit.method) is False
    assert limit.expected == pytest.approx(exact.expected, rel=0.02)
    assert limit.enough == pytest.approx(exact.enough, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(lean=st.floats(0.2, 0.95), thinner=st.floats(0.05, 0.9))
def test_only_discordant_requests_count(lean, thinner):
    dense, thin = discordant_waiting(lean, 1.0), discordant_waiting(lean * thinner, thinner)

    assert thin.expected == pytest.approx(dense.expected / thinner, rel=1e-6)


@settings(max_examples=8, deadline=None)
@given(effect=st.floats(0.02, 0.12), more=st.floats(1.1, 2))
def test_larger_effects_are_told_sooner(effect, more):
    assert sequence_waiting(effect * more, 1).expected < sequence_waiting(effect, 1).expected
    assert sequence_waiting(effect, 1, power=0.9).enough > sequence_waiting(effect, 1).enough


def test_swapping_the_models_changes_nothing():
    assert discordant_waiting(-0.02, 0.06) == discordant_waiting(0.02, 0.06)


def test_a_challenger_that_never_loses_is_told_after_eight_discordant_requests():
    seen = discordant_waiting(0.05, 0.05)

    assert seen.expected == pytest.approx(8 / 0.05)


@pytest.mark.parametrize("ratio", [1 / 19, 0.5, 1, 4])
def test_the_clock_of_two_groups_is_that_of_their_sequence(ratio):
    sd, rows = two_sample_clock(0.3, 0.4, ratio)
    n = 5000
    error, time = arms(n, 0.09, ratio * n, 0.16, pooled_variance(n, 0.09, ratio * n, 0.16))

    assert time * rows == pytest.approx(n, rel=1e-3)
    assert sd / math.sqrt(time) == pytest.approx(error, rel=1e-3)


def test_a_wait_without_end_is_refused():
    for asked, said in [
        (lambda: discordant_waiting(0, 0.05), "there must be a difference"),
        (lambda: discordant_waiting(0.1, 0.05), "must lie between"),
        (lambda: sequence_waiting(0, 1), "effect is 0"),
        (lambda: sequence_waiting(1, 0), "sd is 0"),
        (lambda: sequence_waiting(1e-9, 1), "nobody can wait so long"),
        (lambda: sequence_waiting(1, 1, alpha=0), "alpha is 0"),
        (lambda: sequence_waiting(1, 1, power=1), "power is 1"),
    ]:
        with pytest.raises(ValueError, match=said):
            asked()
