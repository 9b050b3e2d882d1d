"""Off-policy estimates: formulae of zr-obp, diagnostics, and a bandit that fools the plain means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from flows.stats.adaptive.offpolicy import arm_difference, policy_value, stabilised_value, weight_check
from flows.stats.adaptive.sequences import bounded_difference_sequence


def logged(seed, n=400):
    """Contextual log: rewards, arms, propensities of all arms, target policy, predictions."""
    rng = np.random.default_rng(seed)
    behaviour, target = rng.dirichlet([2, 2, 2], n), rng.dirichlet([1, 1, 1], n)
    arms = (rng.random(n)[:, None] > behaviour.cumsum(axis=1)).sum(axis=1)
    rewards = (rng.random(n) < 0.2 + 0.2 * arms).astype(float)
    return rewards, arms, behaviour, target, np.clip(0.2 + 0.2 * np.arange(3) + rng.normal(0, 0.1, (n, 3)), 0, 1)


def zr_obp(rewards, arms, behaviour, target, predicted, name):
    """The estimators of zr-obp (obp/ope/estimators.py), written as that package writes them."""
    rows = np.arange(arms.size)
    iw = target[rows, arms] / behaviour[rows, arms]
    baseline = np.average(predicted, weights=target, axis=1)
    return {
        "IPS": (rewards * iw).mean(),
        "SNIPS": (rewards * iw / iw.mean()).mean(),
        "DR": (baseline + iw * (rewards - predicted[rows, arms])).mean(),
        "SNDR": (baseline + iw * (rewards - predicted[rows, arms]) / iw.mean()).mean(),
    }[name]


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR", "SNDR"])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_zr_obp(name, seed):
    rewards, arms, behaviour, target, predicted = logged(seed)
    rows = np.arange(arms.size)
    guesses = {"predicted": predicted[rows, arms], "predicted_target": np.sum(target * predicted, axis=1)}
    seen = policy_value(
        rewards,
        behaviour[rows, arms],
        target[rows, arms],
        self_normalised=name.startswith("SN"),
        **(guesses if "DR" in name else {}),
    )

    assert seen.method == name
    assert seen.estimate == pytest.approx(zr_obp(rewards, arms, behaviour, target, predicted, name), rel=1e-9)
    assert seen.low < seen.estimate < seen.high


def test_snips_is_bounded_by_the_rewards_though_propensities_are_tiny():
    # zr-obp, tests/ope/test_ipw_estimators.py, test_boundedness_of_snipw
    rewards, arms, behaviour, target, _ = logged(9)
    rows = np.arange(arms.size)
    seen = policy_value(rewards, behaviour[rows, arms] ** 3, target[rows, arms], self_normalised=True)

    assert 0 <= seen.estimate <= 1
    assert seen.weights.mean > 2 and seen.weights.effective_n < 50


def test_a_policy_that_served_itself_is_its_mean():
    rng = np.random.default_rng(3)
    rewards, p = rng.normal(5, 2, 200), rng.uniform(0.2, 1, 200)
    seen = policy_value(rewards, p, p)

    assert seen.estimate == pytest.approx(rewards.mean(), rel=1e-12)
    assert seen.error == pytest.approx(rewards.std(ddof=1) / math.sqrt(200), rel=1e-12)
    assert (seen.weights.mean, seen.weights.effective_n, seen.weights.log_p) == pytest.approx((1.0, 200.0, 0.0))


@given(seed=st.integers(0, 10**6), shift=st.floats(-1e6, 1e6), scale=st.floats(0.01, 100))
def test_self_normalised_estimates_move_with_the_rewards(seed, shift, scale):
    rewards, arms, behaviour, target, _ = logged(seed, n=60)
    rows = np.arange(arms.size)
    p, t = behaviour[rows, arms], target[rows, arms]
    plain, moved = (policy_value(r, p, t, self_normalised=True) for r in (rewards, shift + scale * rewards))
    size = abs(shift) + scale

    assert moved.estimate == pytest.approx(shift + scale * plain.estimate, abs=1e-9 * size)
    assert moved.error == pytest.approx(scale * plain.error, abs=1e-8 * size)


@given(seed=st.integers(0, 10**6))
def test_swapping_the_arms_flips_the_difference(seed):
    rewards, arms, behaviour, _, predicted = logged(seed, n=60)
    p = behaviour[np.arange(arms.size), arms]
    swapped = np.array([1, 0, 2])[arms]
    for options, turned in (({}, {}), ({"predicted": predicted[:, :2]}, {"predicted": predicted[:, 1::-1]})):
        seen, other = arm_difference(rewards, arms, p, **options), arm_difference(rewards, swapped, p, **turned)
        assert (other.estimate, other.low, other.high) == pytest.approx((-seen.estimate, -seen.high, -seen.low))


def test_clipping_states_its_bias():
    rewards, p, t = [1.0, 1.0, 0.0, 1.0], [0.5, 0.01, 0.5, 0.5], [1.0, 1.0, 0.0, 0.0]
    plain, clipped = policy_value(rewards, p, t), policy_value(rewards, p, t, clip=10)

    assert (plain.estimate, clipped.estimate) == (25.5, 3.0)
    assert (clipped.weights.clipped, clipped.weights.bias, clipped.weights.largest) == (1, -22.5, 100.0)
    assert "1 weights clipped, which moved the estimate by -22.5" in clipped.note


def test_wrong_propensities_are_noticed():
    rng = np.random.default_rng(4)
    arm = rng.random(5000) < 0.3
    right, wrong = (weight_check(arm / p) for p in (0.3, 0.4))

    assert right.log_p > math.log(0.001) > wrong.log_p
    assert weight_check(np.full(50, 2.0)).log_p == pytest.approx(-50 * math.log(2))
    assert weight_check(np.full(50, 0.5)).log_p == 0.0


def simulate(means, *, runs, batches=40, size=50, floor=0.1, seed=0):
    """
    Thompson sampling of two Bernoulli arms in batches, many runs at once.

    Yields arrays of shape (runs, rows): chosen, propensity of the challenger, rewards, predictions.
    """
    rng = np.random.default_rng(seed)
    won, tried = np.ones((runs, 2)), np.full((runs, 2), 2.0)
    chosen, share, rewards, guesses = ([] for _ in range(4))
    for _ in range(batches):
        rate = won / tried
        spread = np.sqrt(np.sum(rate * (1 - rate) / tried, axis=1))
        best = ndtr((rate[:, 1] - rate[:, 0]) / spread)
        p = floor + (1 - 2 * floor) * best
        arm = rng.random((runs, size)) < p[:, None]
        reward = rng.random((runs, size)) < np.where(arm, means[1], means[0])
        for code in (0, 1):
            tried[:, code] += np.sum(arm == code, axis=1)
            won[:, code] += np.sum(reward & (arm == code), axis=1)
        chosen.append(arm)
        rewards.append(reward)
        share.append(np.repeat(p[:, None], size, axis=1))
        guesses.append(np.repeat(rate[:, None, :], size, axis=1))
    found = [np.concatenate(one, axis=1) for one in (chosen, share, rewards, guesses)]
    return found[0].astype(float), found[1], found[2].astype(float), found[3]


def covered(means, runs, seed, **options):
    """Bias of the plain mean of the champion, and coverage of each 95 % interval."""
    arms, share, rewards, guesses = simulate(means, runs=runs, seed=seed, **options)
    truth, hits, plain = means[1] - means[0], {"IPS": 0, "DR": 0, "stabilised": 0, "naive": 0}, []
    for arm, p, r, g in zip(arms, share, rewards, guesses, strict=True):
        logged_p = np.where(arm == 1, p, 1 - p)
        naive = [r[arm == code] for code in (0, 1)]
        plain.append([one.mean() - mean for one, mean in zip(naive, means, strict=True)])
        error = math.sqrt(sum(one.var(ddof=1) / one.size for one in naive))
        hits["naive"] += abs(naive[1].mean() - naive[0].mean() - truth) <= 1.96 * error
        for name, seen in (
            ("IPS", arm_difference(r, arm, logged_p)),
            ("DR", arm_difference(r, arm, logged_p, predicted=g)),
        ):
            hits[name] += seen.low <= truth <= seen.high
        value = stabilised_value(r, arm, p, g[:, 1])
        hits["stabilised"] += value.low <= means[1] <= value.high
    return np.mean(plain, axis=0), {name: hit / runs for name, hit in hits.items()}


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("means", [(0.3, 0.3), (0.3, 0.36)])
def test_the_plain_mean_is_biased_under_a_bandit_and_weighted_estimates_cover(means):
    runs = 10_000
    bias, coverage = covered(means, runs, seed=21)
    print(f"bandit, rates {means}: bias of plain means {bias}, coverage {coverage}")
    error = math.sqrt(0.05 * 0.95 / runs)

    assert bias[0] < -0.003
    for name in ("IPS", "DR", "stabilised"):
        assert coverage[name] >= 0.95 - 0.006 - 3 * error


def evidence(rewards, arm, propensity, floor, centre):
    """Log e-value of `bounded_difference_sequence` after every row."""
    from flows.stats.sequential.bounded import stakes

    bound = max(centre, 1 - centre) / floor
    terms = (rewards - centre) * np.where(arm == 1, 1.0, -1.0) / propensity
    bets = stakes((terms / bound + 1) / 2, 0.05)
    stake, gain = np.minimum(bets.stakes, 1.0), bets.values - 0.5
    return np.maximum(np.cumsum(np.log1p(stake * gain)), np.cumsum(np.log1p(-stake * gain))) - math.log(2)


def test_the_simulated_evidence_is_that_of_the_library():
    arms, share, rewards, _ = simulate((0.3, 0.4), runs=1, batches=10, seed=2)
    p = np.where(arms[0] == 1, share[0], 1 - share[0])
    seen = bounded_difference_sequence(rewards[0], arms[0], p, floor=0.1, centre=0.3)

    assert seen.log_e == pytest.approx(float(evidence(rewards[0], arms[0], p, 0.1, 0.3)[-1]), abs=1e-9)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("rate", "floor"), [(0.3, 0.1), (0.3, 0.05), (0.05, 0.1), (0.002, 0.02)])
def test_the_exact_sequence_holds_at_every_row_under_a_bandit(rate, floor):
    hits, runs = 0, 10_000
    for seed in range(10):
        arms, share, rewards, _ = simulate((rate, rate), runs=runs // 10, seed=100 + seed, floor=floor)
        for arm, p, r in zip(arms, share, rewards, strict=True):
            hits += evidence(r, arm, np.where(arm == 1, p, 1 - p), floor, rate).max() >= math.log(20)
    print(f"bandit A/A, rate {rate}, floor {floor}: {hits / runs:.4f} of {runs} runs x 2000 looks")

    assert hits / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_the_exact_sequence_finds_a_large_difference():
    arms, share, rewards, _ = simulate((0.3, 0.45), runs=500, seed=7)
    found = [
        evidence(r, arm, np.where(arm == 1, p, 1 - p), 0.1, 0.3).max() >= math.log(20)
        for arm, p, r in zip(arms, share, rewards, strict=True)
    ]
    print(f"bandit, .30 against .45, 2,000 rows: exact sequence finds {np.mean(found):.3f}")

    assert np.mean(found) >= 0.3


def test_a_few_runs_show_the_bias_of_the_plain_mean():
    bias, coverage = covered((0.3, 0.3), runs=300, seed=1)

    assert bias[0] < 0 and bias[1] < 0
    assert min(coverage[name] for name in ("IPS", "DR", "stabilised")) >= 0.9


def test_the_exact_sequence_holds_the_truth_and_is_narrower_around_a_good_guess():
    rng = np.random.default_rng(6)
    arm = (rng.random(3000) < 0.4).astype(float)
    rewards, p = (rng.random(3000) < 0.02 + 0.1 * arm).astype(float), np.where(arm == 1, 0.4, 0.6)
    plain = bounded_difference_sequence(rewards, arm, p, floor=0.2)
    guessed = bounded_difference_sequence(rewards, arm, p, floor=0.2, centre=0.05)

    for seen in (plain, guessed):
        assert seen.low < 0.1 < seen.high and seen.n == 3000
    assert guessed.high - guessed.low < plain.high - plain.low


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: policy_value([], [], []), "fewer than two rows"),
        (lambda: policy_value([1.0], [0.5], [1.0]), "fewer than two rows"),
        (lambda: policy_value([1.0, 0.0], [0.5, 0.5], [0.0, 0.0]), "never agrees"),
        (lambda: policy_value([1.0, 1.0], [0.5, 0.5], [0.5, 0.5]), "no variance"),
        (lambda: arm_difference([1.0, 0.0, 1.0], [0, 0, 0], [0.5, 0.5, 0.5]), "never agrees"),
        (lambda: policy_value([1.0, 0.0], [0.5, 0.5], [0.0, 0.0], self_normalised=True), "never agrees"),
        (lambda: stabilised_value([], [], []), "fewer than two rows"),
    ],
)
def test_too_little_is_stated(call, said):
    seen = call()

    assert said in seen.note
    assert (seen.low, seen.high) == (-math.inf, math.inf)
    assert math.isfinite(seen.estimate)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: policy_value([1, 2], [0.5], [1, 1]), "lengths differ"),
        (lambda: policy_value([1, math.nan], [0.5, 0.5], [1, 1]), "rewards has 1 of 2"),
        (lambda: policy_value([1, 2], [0.0, 0.5], [1, 1]), "propensities has 1 of 2 values out of range"),
        (lambda: policy_value([1, 2], [1.5, 0.5], [1, 1]), "propensities has 1 of 2 values out of range"),
        (lambda: policy_value([1, 2], [0.5, 0.5], [1, 1.2]), "target has 1 of 2"),
        (lambda: policy_value([1, 2], [0.5, 0.5], [1, 1], predicted=[1, 1]), "only one of predicted"),
        (lambda: policy_value([1, 2], [0.5, 0.5], [1, 1], predicted=[1], predicted_target=[1]), "lengths differ"),
        (lambda: policy_value([1, 2], [0.5, 0.5], [1, 1], clip=0), "clip is 0"),
        (lambda: policy_value([1, 2], [0.5, 0.5], [1, 1], confidence=2), "confidence is 2"),
        (lambda: arm_difference([1, 2], [0, 1], [0.5, 0.5], predicted=[[1, 2, 3]] * 2), "predicted has the shape"),
        (lambda: stabilised_value([1, 2], [0, 2], [0.5, 0.5]), "chosen has 1 of 2"),
        (
            lambda: bounded_difference_sequence([1, 0], [0, 1], [0.05, 0.5], floor=0.1),
            "1 of 2 values below the floor",
        ),
        (lambda: bounded_difference_sequence([1, 3], [0, 1], [0.5, 0.5], floor=0.1), "1 of 2 values outside"),
        (lambda: bounded_difference_sequence([1, 0], [0, 1], [0.5, 0.5], floor=0.1, centre=2.0), "centre is 2.0"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=r"is|has|differ") as refusal:
        call()
    assert said in str(refusal.value)
