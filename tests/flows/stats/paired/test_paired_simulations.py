"""
Power, type I error and coverage of the paired tests; run with -m long -s to see the figures.

Every bound is that of the statement plus three Monte Carlo standard errors.
"""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from flows.stats.paired.binary import mcnemar_counts
from flows.stats.paired.bootstrap import bootstrap_mean, bootstrap_sums
from flows.stats.paired.flips import sign_flip_mean
from flows.stats.paired.forecast import diebold_mariano
from flows.stats.paired.losses import clustered_mean, paired_mean
from flows.stats.paired.ranking import auc_interval, delong
from flows.stats.paired.signed_rank import signed_rank
from flows.stats.paired.sums import confusion_rows, f1_of
from flows.stats.paired.validation import corrected_resampled_t, five_by_two_f, five_by_two_t

pytestmark = pytest.mark.long


def slack(rate: float, runs: int) -> float:
    return 3 * math.sqrt(rate * (1 - rate) / runs)


def report(what: str, *rates: float) -> None:
    print(f"\n{what}: " + ", ".join(f"{rate:.4f}" for rate in rates), end="")


# --- Same holdout: McNemar


@cache
def judged(lost: int, won: int, both: int, n: int, test: str, interval: str):
    return mcnemar_counts(lost, won, n, both=both, test=test, interval=interval)


def holdouts(lost: float, won: float, runs: int, seed: int, n: int = 2000, both: float = 0.87) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, [lost, won, both, 1 - lost - won - both], runs)


def rejected(draws: np.ndarray, test: str) -> float:
    n = int(draws[0].sum())
    return float(np.mean([judged(int(b), int(c), 0, n, test, "tango").p_value <= 0.05 for b, c, *_ in draws]))


def unpaired(draws: np.ndarray) -> float:
    n = draws.sum(axis=1)
    old, new = (draws[:, 0] + draws[:, 2]) / n, (draws[:, 1] + draws[:, 2]) / n
    pooled = (old + new) / 2
    return float(np.mean(np.abs(new - old) / np.sqrt(2 * pooled * (1 - pooled) / n) > stats.norm.ppf(0.975)))


def test_mcnemar_finds_what_the_unpaired_test_misses():
    runs = 40_000
    better, equal = holdouts(0.025, 0.035, runs, 1), holdouts(0.03, 0.03, runs, 2)
    power, size = rejected(better, "mid-p"), rejected(equal, "mid-p")
    exact_power, exact_size = rejected(better, "exact"), rejected(equal, "exact")
    report("n = 2000, 2.5 % vs 3.5 %: power mid-p, exact, unpaired z", power, exact_power, unpaired(better))
    report("n = 2000, 3 % vs 3 %: type I mid-p, exact, unpaired z", size, exact_size, unpaired(equal))

    assert power >= 0.44
    assert size <= 0.05 + slack(0.05, runs)
    assert exact_size <= size
    assert unpaired(better) < 0.07


@pytest.mark.parametrize(
    ("n", "lost", "won"), [(50, 0.1, 0.1), (50, 0.05, 0.2), (200, 0.02, 0.05), (2000, 0.025, 0.035)]
)
def test_the_intervals_of_paired_proportions_cover(n, lost, won):
    runs = 20_000
    draws = holdouts(lost, won, runs, n, n=n, both=0.6)
    covered = {"tango": 0, "newcombe": 0}
    for b, c, both, _ in draws.tolist():
        for interval in covered:
            effect = judged(b, c, both if interval == "newcombe" else 0, n, "mid-p", interval)
            covered[interval] += effect.low <= won - lost <= effect.high
    report(f"coverage at n = {n}, {lost} vs {won}: Tango, Newcombe", *(count / runs for count in covered.values()))

    assert covered["tango"] / runs >= 0.94 - slack(0.05, runs)
    assert covered["newcombe"] / runs >= 0.93 - slack(0.05, runs)


# --- Cross-validation


def nearest_mean(labels: np.ndarray, rows: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Accuracy of every fold of a learner that predicts the class whose mean in the other folds is nearer."""
    splits = int(folds.max()) + 1
    counts, sums = np.zeros((splits, 2)), np.zeros((splits, 2, rows.shape[1]))
    np.add.at(counts, (folds, labels), 1)
    np.add.at(sums, (folds, labels), rows)
    means = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)[:, :, None]
    middle = (means[:, 1] ** 2 - means[:, 0] ** 2).sum(axis=1) / 2
    score = (rows * (means[:, 1] - means[:, 0])[folds]).sum(axis=1) - middle[folds]
    return np.bincount(folds, weights=(score > 0) == labels) / np.bincount(folds)


def guesses(labels: np.ndarray, rows: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Accuracy of every fold of a learner that learns nothing."""
    return np.bincount(folds, weights=(rows[:, 0] > 0) == labels) / np.bincount(folds)


def cross_validated(rng, learner, signal: float, repeats: int, splits: int, n: int = 200) -> np.ndarray:
    """Scores of one learner on two equally good sets of five features: shape (2, repeats, splits)."""
    labels, features = rng.integers(0, 2, n), rng.normal(size=(2, n, 5))
    features[:, :, 0] += signal * (2 * labels - 1)
    orders = [rng.permutation(np.arange(n) % splits) for _ in range(repeats)]
    return np.array([[learner(labels, rows, order) for order in orders] for rows in features])


NULLS = {
    "trained, accuracy 83 %": (nearest_mean, 1.0),
    "trained, accuracy 67 %": (nearest_mean, 0.5),
    "random labels, guesses": (guesses, 0.0),
    "random labels, trained": (nearest_mean, 0.0),
}


@pytest.mark.parametrize("null", NULLS)
def test_the_corrected_t_keeps_its_level_on_10x10_cross_validation_where_the_plain_t_does_not(null):
    rng, runs = np.random.default_rng(3), 4000
    plain = corrected = 0
    for _ in range(runs):
        a, b = cross_validated(rng, *NULLS[null], 10, 10).reshape(2, -1)
        plain += paired_mean(a, b).p_value <= 0.05
        corrected += corrected_resampled_t(a, b, train=180, test=20).p_value <= 0.05
    report(f"10x10 cv, equal learners ({null}): type I plain, corrected", plain / runs, corrected / runs)

    # Trained on nothing but noise, what a data set teaches by chance is in all folds: no correction knows of it.
    limit = 0.12 if null == "random labels, trained" else 0.05
    assert corrected / runs <= limit + slack(limit, runs)
    assert plain / runs > 0.45


@pytest.mark.parametrize("null", NULLS)
def test_5x2_cross_validation_keeps_its_level(null):
    rng, runs = np.random.default_rng(4), 4000
    t = f = 0
    for _ in range(runs):
        a, b = cross_validated(rng, *NULLS[null], 5, 2)
        t += five_by_two_t(a, b).p_value <= 0.05
        f += five_by_two_f(a, b).p_value <= 0.05
    report(f"5x2 cv, equal learners ({null}): type I t, F", t / runs, f / runs)

    if null in ("trained, accuracy 83 %", "random labels, guesses"):
        assert t / runs <= 0.05 + slack(0.05, runs)
        assert f / runs <= 0.05 + slack(0.05, runs)


# --- Ranking


@pytest.mark.parametrize(("ones", "zeros", "far"), [(100, 100, 1.0), (30, 300, 1.5), (20, 20, 2.0)])
def test_delongs_intervals_cover(ones, zeros, far):
    rng, runs = np.random.default_rng(5), 4000
    y = np.repeat([1, 0], [ones, zeros])
    truth = stats.norm.cdf(np.array([far, far * 1.2]) / math.sqrt(2))
    hits = np.zeros(4)
    for _ in range(runs):
        shared = rng.normal(size=y.size)
        a, b = (far * size * y + 0.7 * shared + math.sqrt(0.51) * rng.normal(size=y.size) for size in (1.0, 1.2))
        effect = delong(y, a, b)
        hits[0] += effect.low <= truth[1] - truth[0] <= effect.high
        for k, method in enumerate(("delong", "logit", "newcombe"), start=1):
            found = auc_interval(y, a, method=method)
            hits[k] += found.low <= truth[0] <= found.high
    report(
        f"coverage, {ones} ones, {zeros} zeros, AUC {truth[0]:.3f}: difference, AUC by DeLong, logit, Newcombe",
        *hits / runs,
    )

    assert hits[0] / runs >= 0.93 - slack(0.05, runs)
    assert hits[2] / runs >= 0.94 - slack(0.05, runs)
    assert hits[3] / runs >= 0.94 - slack(0.05, runs)


# --- Means, clusters, forecasts


def test_clustered_rows_keep_the_level_only_when_analysed_by_cluster():
    rng, runs = np.random.default_rng(6), 5000
    plain = clustered = 0
    for _ in range(runs):
        sizes = rng.integers(1, 12, 50)
        clusters = np.repeat(np.arange(50), sizes)
        a = np.zeros(clusters.size)
        b = rng.normal(size=50)[clusters] + rng.normal(size=clusters.size)
        plain += paired_mean(a, b).p_value <= 0.05
        clustered += clustered_mean(a, b, clusters).p_value <= 0.05
    report("50 clusters of 1 to 11 rows: type I by row, by cluster", plain / runs, clustered / runs)

    assert clustered / runs <= 0.06 + slack(0.06, runs)
    assert plain / runs > 0.15


def test_diebold_mariano_keeps_its_level_three_steps_ahead():
    rng, runs, n = np.random.default_rng(7), 10_000, 100
    hits = np.zeros(3)
    for _ in range(runs):
        a, b = (np.convolve(rng.normal(size=n + 2), [1, 0.7, 0.4], mode="valid") for _ in range(2))
        hits[0] += diebold_mariano(a, b, horizon=3).p_value <= 0.05
        hits[1] += diebold_mariano(a, b, horizon=3, kernel="bartlett").p_value <= 0.05
        hits[2] += diebold_mariano(a, b, horizon=1).p_value <= 0.05
    report("errors 3 steps ahead, n = 100: type I rectangular, Bartlett, taken for independent", *hits / runs)

    assert hits[0] / runs <= 0.065 + slack(0.06, runs)


def test_the_signed_rank_interval_covers():
    rng, runs = np.random.default_rng(8), 4000
    for n in (15, 120):
        hits = 0
        for _ in range(runs):
            effect = signed_rank(np.zeros(n), 0.3 + rng.standard_t(3, n))
            hits += effect.low <= 0.3 <= effect.high
        report(f"coverage of the Hodges-Lehmann interval, t with 3 df, n = {n}", hits / runs)
        assert hits / runs >= 0.95 - slack(0.05, runs)


# --- Resampling


@pytest.mark.parametrize("n", [50, 500])
def test_the_bootstrap_of_a_skewed_mean_covers(n):
    rng, runs = np.random.default_rng(9), 40_000 // n + 1000
    hits = np.zeros(3)
    for seed in range(runs):
        zeros, gains = np.zeros(n), rng.exponential(size=n)
        for k, interval in enumerate(("bca", "percentile")):
            effect = bootstrap_mean(zeros, gains, seed=seed, replicates=1000, interval=interval)
            hits[k] += effect.low <= 1 <= effect.high
        plain = paired_mean(zeros, gains)
        hits[2] += plain.low <= 1 <= plain.high
    report(f"coverage of a mean of exponential gains, n = {n}: BCa, percentile, t", *hits / runs)

    assert hits[0] / runs >= (0.92 if n == 50 else 0.94) - slack(0.05, runs)


def test_the_bootstrap_of_f1_covers_and_sign_flips_keep_their_level():
    rng, runs, n = np.random.default_rng(10), 2000, 400
    large = np.random.default_rng(11)

    def draw(rng, n, hit):
        y = (rng.uniform(size=n) < 0.2) * 1
        return y, *((rng.uniform(size=n) < np.where(y == 1, h, 0.1)) * 1 for h in hit)

    y, a, b = draw(large, 4_000_000, (0.6, 0.7))
    truth = f1_score(y, b) - f1_score(y, a)
    covered = same = flips = 0
    for seed in range(runs):
        y, a, b = draw(rng, n, (0.6, 0.7))
        effect = bootstrap_sums(confusion_rows(y, a), confusion_rows(y, b), f1_of, seed=seed)
        covered += effect.low <= truth <= effect.high
        y, a, b = draw(rng, n, (0.6, 0.6))
        same += bootstrap_sums(confusion_rows(y, a), confusion_rows(y, b), f1_of, seed=seed).p_value <= 0.05
        gains = rng.standard_t(3, 30)
        flips += sign_flip_mean(np.zeros(30), gains, seed=seed, resamples=999).p_value <= 0.05
    report(
        "F1 at n = 400: coverage, type I of BCa; type I of sign flips, n = 30",
        covered / runs,
        same / runs,
        flips / runs,
    )

    assert covered / runs >= 0.94 - slack(0.05, runs)
    assert same / runs <= 0.06 + slack(0.05, runs)
    assert flips / runs <= 0.05 + slack(0.05, runs)
