"""AUC by rows and by clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stats.paired.area_rows import area_moments, area_pulls, delong_clustered
from flows.stats.paired.ranking import auc, auc_interval, delong
from flows.stats.sequential.asymptotic import two_sample_sequence


def scored(n: int, seed: int, noise: float = 1.0):
    dice = np.random.default_rng(seed)
    truth = dice.normal(size=n)
    return (dice.random(n) < 1 / (1 + np.exp(-truth))).astype(float), truth + noise * dice.normal(size=n)


def test_the_pulls_average_to_zero_and_belong_to_the_area():
    labels, scores = scored(500, 1)
    area, pulls = area_pulls(labels, scores)

    assert area == pytest.approx(auc(labels, scores), abs=1e-12)
    assert pulls.mean() == pytest.approx(0, abs=1e-12)


def test_leaving_a_row_out_moves_the_area_by_about_its_pull():
    labels, scores = scored(800, 2)
    area, pulls = area_pulls(labels, scores)
    moved = [area - auc(np.delete(labels, i), np.delete(scores, i)) for i in range(40)]

    assert moved == pytest.approx(pulls[:40] / 800, abs=3e-5)


def test_without_clusters_the_error_is_delongs():
    labels, scores = scored(3000, 3)
    seen = area_moments(labels, scores)

    assert np.sqrt(seen.variance / seen.n) == pytest.approx(auc_interval(labels, scores).error, rel=2e-3)


def test_a_cluster_of_one_row_each_gives_delongs_test():
    labels, ours = scored(2000, 4)
    theirs = ours + 0.5 * np.random.default_rng(9).normal(size=2000)
    clustered, plain = delong_clustered(labels, ours, theirs, range(2000)), delong(labels, ours, theirs)

    assert clustered.estimate == pytest.approx(plain.estimate, abs=1e-12)
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=2e-4)


def test_every_row_copied_ten_times_tells_no_more_than_once():
    labels, ours = scored(400, 5)
    theirs = ours + 0.8 * np.random.default_rng(9).normal(size=400)
    tenfold = [np.repeat(values, 10) for values in (labels, ours, theirs)]
    clustered = delong_clustered(*tenfold, np.repeat(np.arange(400), 10))
    plain = delong(labels, ours, theirs)

    assert clustered.n == 400
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=2e-3)
    assert delong(*tenfold).high - delong(*tenfold).low < 0.4 * (clustered.high - clustered.low)


@given(seed=st.integers(0, 1000))
def test_swapping_the_models_flips_the_effect(seed):
    labels, ours = scored(120, seed)
    theirs, keys = ours[::-1].copy(), np.arange(120) // 3
    there, back = delong_clustered(labels, ours, theirs, keys), delong_clustered(labels, theirs, ours, keys)

    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert there.log_p == pytest.approx(back.log_p)


def test_scores_of_the_same_order_differ_by_nothing():
    labels, ours = scored(90, 6)
    found = delong_clustered(labels, ours, np.exp(ours), np.arange(90) // 3)

    assert (found.estimate, found.p_value) == (0.0, 1.0)


def test_a_single_cluster_bounds_nothing_and_a_missing_class_is_refused():
    labels, ours = scored(30, 7)

    assert delong_clustered(labels, ours, ours[::-1], [1] * 30).note == "a single cluster"
    with pytest.raises(ValueError, match="30 ones and 0 zeros"):
        area_pulls([1] * 30, ours)


@pytest.mark.long
def test_the_clustered_test_keeps_its_error_rate_where_the_plain_one_does_not():
    dice, runs, wrong = np.random.default_rng(8), 2000, [0, 0]
    for _ in range(runs):
        keys = np.repeat(np.arange(80), 8)
        truth = np.repeat(dice.normal(size=80), 8)
        labels = np.repeat((dice.random(80) < 1 / (1 + np.exp(-truth[::8]))).astype(float), 8)
        ours, theirs = (np.repeat(dice.normal(size=80), 8) + truth for _ in range(2))
        wrong[0] += delong_clustered(labels, ours, theirs, keys).p_value < 0.05
        wrong[1] += delong(labels, ours, theirs).p_value < 0.05
    print("type I, 80 keys of 8 rows: by key", wrong[0] / runs, "by row", wrong[1] / runs)

    assert wrong[0] / runs < 0.07
    assert wrong[1] / runs > 0.2


@pytest.mark.long
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_areas_of_two_groups_may_be_looked_at_a_hundred_times(share):
    dice, runs, wrong = np.random.default_rng(10), 1000, 0
    for _ in range(runs):
        labels, scores = scored(4000, int(dice.integers(2**60)))
        dealt = dice.random(4000) < share
        for n in np.unique(np.geomspace(60, 4000, 100).astype(int)):
            arms = [(labels[:n][side], scores[:n][side]) for side in (~dealt[:n], dealt[:n])]
            if min(min(y.sum(), y.size - y.sum()) for y, _ in arms) < 30:
                continue
            if two_sample_sequence(*(area_moments(*arm) for arm in arms)).p_value <= 0.05:
                wrong += 1
                break
    print("A/A of areas, 100 looks, challenger", share, wrong / runs)

    assert wrong / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
