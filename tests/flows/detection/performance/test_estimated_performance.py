import numpy as np
import polars as pl
import pytest
from performance_making import a_champion, classes, make_config, trained_on, values

from flows.detection.performance.look import performance
from flows.training.metrics import measure

HOLDOUT, NUMBERS = classes(4000, 99), values(4000, 99)
CONFIG, REGRESSION = make_config(), make_config(task="regression")
BINARY = ("accuracy", "auc", "f1", "brier", "log_loss")


def unlabelled(frame):
    return frame.with_columns(_label=pl.lit(None, dtype=pl.Float64))


def look(frame, holdout=HOLDOUT, config=CONFIG, seed=0):
    champion = trained_on(holdout, config.task) if holdout is not None else a_champion(config.task)
    return performance(frame, champion, config, seed, holdout=holdout)


def truth(frame, task="binary"):
    return measure(task, frame["_label"].to_numpy(), frame["_score"].to_numpy())


def test_estimates_hold_what_the_labels_say_later_as_often_as_they_state():
    hits = dict.fromkeys(BINARY, 0)
    for seed in range(60):
        later, holdout = classes(500, seed), classes(1500, 1000 + seed)
        found, real = look(unlabelled(later), holdout), truth(later)
        for name in BINARY:
            seen = found.measure(name, estimated=True)
            hits[name] += seen.low <= real[name] <= seen.high

    assert min(hits.values()) >= 52  # of 60; at 95 %, fewer have a chance of 1 in 500


def test_every_estimate_says_that_it_is_one_and_what_it_cannot_see():
    found = look(unlabelled(classes(500, 1)))

    assert not found.enough
    assert "Estimates stand in" in found.said
    assert len(found.measures) == 5
    for one in found.measures:
        assert one.estimated
        assert not one.degraded
        assert "An estimate: 0% of the rows have labels. It is blind to concept drift" in one.said


def test_estimates_of_bold_scores_are_calibrated_on_the_holdout():
    bolder = pl.col("_score") ** 3 / (pl.col("_score") ** 3 + (1 - pl.col("_score")) ** 3)
    later, holdout = (frame.with_columns(_score=bolder) for frame in (classes(5000, 1), HOLDOUT))
    real = truth(later)["brier"]
    plain, calibrated = (look(unlabelled(later), one).measure("brier", estimated=True) for one in (None, holdout))

    assert abs(plain.value - real) > 0.05
    assert abs(calibrated.value - real) < 0.01


def test_scores_that_could_not_be_calibrated_are_said():
    assert any("take scores as they are" in one for one in look(unlabelled(classes(500, 1)), None).findings)


def test_a_look_at_drifted_meaning_shows_that_its_own_estimate_was_off():
    found = look(classes(2000, 1, drift=1.5, labelled=0.5))
    check = found.check("accuracy")

    assert check.blind
    assert check.high < -0.05
    assert found.metrics()["estimate_blind"] == 1.0
    assert "do not trust it" in check.said
    assert "not to be trusted" in found.said


def test_checks_of_sound_estimates_seldom_call_them_blind():
    looks = (look(classes(800, seed, labelled=0.5), classes(1500, 1000 + seed)) for seed in range(50))
    blind = sum(one.check("brier").blind for one in looks)

    assert blind <= 7  # at 5 %, more have a chance of 1 in 100


def test_corrected_estimates_hold_the_truth_where_plain_ones_miss_it():
    names = ("accuracy", "brier", "log_loss")
    plain, corrected = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for seed in range(40):
        whole = classes(2000, seed, drift=1.5)
        part = whole.with_columns(_label=pl.when(pl.int_range(2000) < 1000).then("_label").otherwise(None))
        found, real = look(part), truth(whole)
        for name in names:
            guess, check = found.measure(name, estimated=True), found.check(name)
            plain[name] += guess.low <= real[name] <= guess.high
            corrected[name] += check.corrected_low <= real[name] <= check.corrected_high

    assert max(plain.values()) == 0
    assert min(corrected.values()) >= 34  # of 40; at 95 %, fewer have a chance of 1 in 300


def test_estimates_give_way_to_labels_as_they_arrive():
    whole = classes(3000, 1, drift=1.5)
    real, places = truth(whole)["accuracy"], np.arange(3000)
    errors = []
    for share in (0.0, 0.3, 0.6, 0.9):
        part = whole.with_columns(_label=pl.when(pl.Series(places < share * 3000)).then("_label").otherwise(None))
        found = look(part)
        errors.append(abs(found.measure("accuracy", estimated=True).value - real))
        assert found.metrics()["label_share"] == pytest.approx(share)

    assert errors == sorted(errors, reverse=True)
    assert look(whole).measure("accuracy", estimated=True) is None


def test_losses_of_a_regression_follow_the_features():
    later = values(2000, 1).filter(pl.col("x") > 0.5)  # errors are larger there
    found, real = look(unlabelled(later), NUMBERS, REGRESSION), truth(later, "regression")

    for name in ("mae", "rmse"):
        seen = found.measure(name, estimated=True)
        assert seen.value == pytest.approx(real[name], rel=0.06)
        assert real[name] > 1.1 * seen.baseline


def test_estimated_losses_hold_what_the_labels_say_later():
    hits = 0
    for seed in range(30):
        later = values(400, seed)
        seen = look(unlabelled(later), values(1000, 500 + seed), REGRESSION).measure("mae", estimated=True)
        hits += seen.low <= truth(later, "regression")["mae"] <= seen.high

    assert hits >= 25  # of 30; at 95 %, fewer have a chance of 1 in 300


def test_without_a_holdout_older_labels_teach_and_newer_ones_check():
    found = look(values(1000, 1, labelled=0.5), None, REGRESSION)

    assert found.check("mae").n == 250
    assert not found.check("mae").blind
    assert look(values(300, 1, labelled=0.5), None, REGRESSION).checks == ()
    assert look(values(300, 1, labelled=0.1), None, REGRESSION).measures == ()


def test_a_holdout_without_features_is_learned_from_only_where_labels_are_few():
    bare = NUMBERS.select("_time", "_score", "_label")
    few, many = (look(values(1000, 1, labelled=share), bare, REGRESSION) for share in (0.15, 0.5))

    assert (few.check("mae").n, many.check("mae").n) == (150, 250)


def test_errors_that_grew_are_not_seen_by_the_estimate_but_by_its_check():
    found = look(values(2000, 1, noise=1.5, labelled=0.5), NUMBERS, REGRESSION)
    real = truth(values(2000, 1, noise=1.5), "regression")["mae"]
    check = found.check("mae")

    assert check.blind
    assert check.gap == pytest.approx(0.33 * check.realised, rel=0.3)
    assert check.corrected_low <= real <= check.corrected_high
    assert found.metrics()["corrected_loss"] == check.corrected


def test_categories_tell_where_errors_are_large():
    dice = np.random.default_rng(0)
    place = dice.choice(["calm", "wild", "rare"], 3000, p=[0.6, 0.39, 0.01])
    noise = np.where(place == "calm", 0.5, 2.0) * dice.normal(size=3000)
    frame = pl.DataFrame({"place": place, "_score": 0.0, "_label": noise})
    config = make_config((), ("place",), task="regression")
    wild = frame.filter(pl.col("place") == "wild")
    new = wild.with_columns(place=pl.lit("never seen"))

    found = look(unlabelled(wild), frame, config).measure("mae", estimated=True)
    assert found.value == pytest.approx(truth(wild, "regression")["mae"], rel=0.1)
    assert look(unlabelled(new), frame, config).measure("mae", estimated=True).value > 0


def test_the_same_seed_gives_the_same_estimate():
    frame = values(1000, 1, labelled=0.5)

    assert look(frame, NUMBERS, REGRESSION, 3) == look(frame, NUMBERS, REGRESSION, 3)


def test_estimates_can_be_left_out():
    config = make_config(detection={"performance": {"estimate": False}})

    assert look(unlabelled(classes(500, 1)), config=config).measures == ()
