"""P(better) and expected loss against closed forms, peers and independent quadrature."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats
from scipy.special import betaln, logsumexp

from flows.stats.bayes.beliefs import Beta, Gamma, Normal, count_belief, mean_belief, rate_belief
from flows.stats.bayes.posterior import posterior

beta = st.builds(Beta, a=st.floats(0.5, 3000), b=st.floats(0.5, 3000), n=st.just(1))
normal = st.builds(Normal, mean=st.floats(-50, 50), sd=st.floats(0.01, 20), n=st.just(9))
gamma = st.builds(Gamma, shape=st.floats(0.5, 3000), rate=st.floats(0.1, 3000), n=st.just(1))


def miller(champion: Beta, challenger: Beta) -> float:
    """Log of P(challenger > champion): Miller (2015), eq. 6; the challenger's a is whole."""
    i = np.arange(int(challenger.a))
    terms = (
        betaln(champion.a + i, champion.b + challenger.b)
        - np.log(challenger.b + i)
        - betaln(1 + i, challenger.b)
        - betaln(champion.a, champion.b)
    )
    return float(logsumexp(terms))


@given(a=st.integers(1, 400), b=st.integers(1, 400), c=st.integers(1, 400), d=st.integers(1, 400))
@settings(deadline=None, max_examples=25)
def test_rates_agree_with_evan_millers_closed_form(a, b, c, d):
    champion, challenger = Beta(a=a, b=b, n=1), Beta(a=c, b=d, n=1)

    assert posterior(champion, challenger).log_p_better == pytest.approx(
        miller(champion, challenger), rel=1e-9, abs=1e-9
    )


def test_a_probability_of_1e_minus_60_is_exact():
    champion, challenger = Beta(a=900, b=300, n=1), Beta(a=450, b=750, n=1)
    seen = posterior(champion, challenger)

    assert miller(champion, challenger) / math.log(10) < -60
    assert seen.log_p_better == pytest.approx(miller(champion, challenger), rel=1e-9)


@pytest.mark.parametrize(
    ("champion", "challenger", "losses"),
    [
        # gbstats, packages/stats/tests/bayesian/test_tests.py: risk = [of keeping, of choosing]
        (rate_belief(49, 100), rate_belief(51, 100), (0.03872, 0.01912)),
        (rate_belief(49, 100, prior=(1e-9, 1e-9)), rate_belief(51, 100, prior=(100, 100)), (0.03025, 0.01692)),
        (mean_belief((10, 10.0, 2.25)), mean_belief((10, 10.5, 9.0)), (0.51256, 0.01256)),
    ],
)
def test_expected_losses_agree_with_gbstats(champion, challenger, losses):
    seen = posterior(champion, challenger)

    assert seen.loss == pytest.approx(losses[1], abs=1.5e-5)
    if challenger.n == 10 or losses[0] > 0.0385:
        assert seen.loss_of_keeping == pytest.approx(losses[0], abs=1.5e-5)


def test_rates_agree_with_spotify_confidence_up_to_its_simulation():
    # spotify-confidence, tests/bayesian/test_betabinomial.py, ("us", "control") against ("us", "test")
    seen = posterior(rate_belief(42, 104), rate_belief(500, 1009))

    assert seen.p_better == pytest.approx(0.962782, abs=2e-3)
    assert (seen.low, seen.high) == pytest.approx((-0.0092189, 0.18712235), abs=2e-3)
    assert seen.loss == pytest.approx(0.000767784, abs=5e-5)
    assert seen.loss_of_keeping == pytest.approx(0.091504838, abs=1e-3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Beta(a=3, b=40, n=1), Beta(a=5, b=38, n=1)),
        (Beta(a=0.5, b=12.5, n=1), Beta(a=0.5, b=900.5, n=1)),
        (Beta(a=0.5, b=0.5, n=1), Beta(a=7.5, b=0.5, n=1)),
        (Gamma(shape=30.5, rate=100, n=1), Gamma(shape=0.5, rate=3, n=1)),
        (Beta(a=3000, b=70_000, n=1), Gamma(shape=2, rate=50, n=1)),
    ],
)
def test_quadrature_agrees_with_scipy_quad(first, second):
    ours, theirs = [
        stats.beta(one.a, one.b) if isinstance(one, Beta) else stats.gamma(one.shape, scale=1 / one.rate)
        for one in (first, second)
    ]
    edges = np.unique(np.concatenate([one.ppf(special.ndtr(np.arange(-7, 8))) for one in (ours, theirs)]))
    loss = [
        integrate.quad(lambda x: ours.sf(x) * theirs.cdf(x), low, high, epsabs=1e-14, epsrel=1e-10)[0]
        for low, high in pairwise(edges)
    ]
    steps = np.unique(np.concatenate([theirs.cdf(edges), [0.0, 1.0]]))
    better = sum(integrate.quad(lambda u: ours.cdf(theirs.ppf(u)), a, b, epsrel=1e-12)[0] for a, b in pairwise(steps))
    seen = posterior(first, second)

    assert seen.loss == pytest.approx(sum(loss), rel=1e-7)
    assert seen.p_better == pytest.approx(better, rel=1e-7)


@given(first=st.one_of(beta, gamma, normal), second=st.one_of(beta, gamma, normal))
@settings(deadline=None, max_examples=40)
def test_the_losses_differ_by_the_estimate_and_swapping_mirrors_everything(first, second):
    seen, turned = posterior(first, second), posterior(second, first)
    scale = math.hypot(first.sd, second.sd)

    assert seen.loss_of_keeping - seen.loss == pytest.approx(seen.estimate, abs=1e-8 * (scale + abs(seen.estimate)))
    assert seen.p_better + seen.p_worse == pytest.approx(1.0, abs=1e-8)
    assert turned.log_p_better == pytest.approx(seen.log_p_worse, rel=1e-6, abs=1e-8)
    assert (turned.loss, turned.low, turned.high) == pytest.approx(
        (seen.loss_of_keeping, -seen.high, -seen.low), rel=1e-6, abs=1e-7 * scale
    )


def test_normal_closed_forms_agree_with_quadrature_and_simulation():
    champion, challenger = Normal(mean=10, sd=1.5, n=9), Normal(mean=11, sd=2.0, n=9)
    difference = stats.norm(1, 2.5)
    seen = posterior(champion, challenger, threshold=0.05, relative=True)
    draws = np.random.default_rng(0).normal([10, 11], [1.5, 2.0], size=(400_000, 2))

    assert seen.p_better == pytest.approx(difference.sf(0), rel=1e-12)
    assert seen.loss == pytest.approx(integrate.quad(lambda d: -d * difference.pdf(d), -40, 0)[0], rel=1e-9)
    assert (seen.low, seen.high) == pytest.approx(difference.interval(0.95), rel=1e-9)
    assert seen.p_beyond == pytest.approx(np.mean(draws[:, 1] > 1.05 * draws[:, 0]), abs=3e-3)


@pytest.mark.parametrize("relative", [False, True])
def test_the_chance_of_a_lift_beyond_a_threshold_agrees_with_simulation(relative):
    rng = np.random.default_rng(1)
    ours, theirs = rng.beta(101, 901, 400_000), rng.beta(131, 871, 400_000)
    seen = posterior(rate_belief(100, 1000), rate_belief(130, 1000), threshold=0.02, relative=relative)
    expected = np.mean(theirs > ours * 1.02 if relative else theirs > ours + 0.02)

    assert seen.p_beyond == pytest.approx(expected, abs=4e-3)


def test_a_loss_far_in_the_tail_keeps_its_digits():
    seen = posterior(Normal(mean=0, sd=0.6, n=9), Normal(mean=20, sd=0.8, n=9))
    z = 20.0
    series = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (1 / z**2 - 3 / z**4 + 15 / z**6 - 105 / z**8)

    assert 0 < seen.loss == pytest.approx(series, rel=1e-5)
    assert seen.log_p_worse == pytest.approx(stats.norm.logsf(20), rel=1e-12)


def test_a_billion_trials_agree_with_the_normal_limit():
    n = 10**9
    seen = posterior(rate_belief(n // 10, n), rate_belief(n // 10 + 20_000, n))
    z = seen.estimate / math.hypot(math.sqrt(0.09 / n), math.sqrt(0.09 / n))

    assert seen.p_worse == pytest.approx(stats.norm.sf(z), rel=1e-3)
    assert seen.low < seen.estimate < seen.high


def test_certainty_is_never_printed():
    seen = posterior(rate_belief(1, 10**6), rate_belief(10**6 - 1, 10**6))

    assert 0 < seen.p_worse < 1e-300 and seen.log_p_worse < -1000
    assert seen.p_better == pytest.approx(1.0) and "normal approximation" in seen.note
    assert seen.loss >= 0 and math.isfinite(seen.loss)


def test_nothing_seen_is_a_coin():
    empty = posterior(rate_belief(0, 0), rate_belief(0, 0))

    assert empty.p_better == pytest.approx(0.5, abs=1e-9)
    assert empty.loss == pytest.approx(1 / 6, rel=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ((0, 0.0, 0.0), (0, 0.0, 0.0), "fewer than two values"),
        ((1, 4.0, 0.0), (50, 4.0, 9.0), "fewer than two values"),
        ((50, 4.0, 0.0), (50, 5.0, 9.0), "do not vary"),
        ((50, 4.0, 0.0), (50, 4.0, 0.0), "do not vary"),
    ],
)
def test_an_arm_without_a_variance_is_stated(ours, theirs, said):
    seen = posterior(mean_belief(ours), mean_belief(theirs))

    assert said in seen.note
    assert (seen.p_better, seen.p_worse, seen.low, seen.high) == (0.5, 0.5, -math.inf, math.inf)


def test_a_prior_shrinks_the_mean_as_in_gbstats():
    # gbstats, tests/bayesian/test_dists.py: prior N(0, 1/10), data 12 with variance 1 and n = 10
    belief = mean_belief((10, 12.0, 9.0), prior_mean=0.0, prior_sd=math.sqrt(0.1))

    assert (belief.mean, belief.sd) == pytest.approx((6.0, math.sqrt(1 / 20)))
    assert count_belief(10, 100, prior=(1, 1)).mean == pytest.approx(11 / 101)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rate_belief(5, 4), "successes is 5 among 4"),
        (lambda: rate_belief(-1, 4), "successes is -1"),
        (lambda: rate_belief(1, 4, prior=(0, 1)), "prior is (0, 1)"),
        (lambda: mean_belief((5, math.nan, 1.0)), "mean of the arm is nan"),
        (lambda: mean_belief((5, 1.0, 1.0), prior_sd=0.0), "prior is 0.0 with sd 0.0"),
        (lambda: count_belief(1, 4, prior=(math.inf, 1)), "prior is (inf, 1)"),
        (lambda: posterior(rate_belief(1, 2), rate_belief(1, 2), confidence=0), "confidence is 0"),
        (lambda: posterior(rate_belief(1, 2), rate_belief(1, 2), threshold=math.inf), "threshold is inf"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match="is") as refusal:
        call()
    assert said in str(refusal.value)
