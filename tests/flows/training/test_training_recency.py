"""Old rows count less, if that is wished."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_making import NOW, make_config, make_frame

from flows.config.data import Features
from flows.training.candidate import train_candidate
from flows.training.families.boosting import START, Boosting
from flows.training.families.family import Setting, fit
from flows.training.families.linear import Linear
from flows.training.layout import Span
from flows.training.rows import Sample, usable
from flows.training.windows import fading

FEATURES = Features(numeric=("a", "b"), categorical=("c",))
ONLY_NUMBERS = Features(numeric=("a", "b"))  # encoding counts rows, not their weights
FAMILIES = {
    "xgboost": (
        lambda task, features=FEATURES: Boosting(features=features, task=task, seed=0, threads=1),
        Setting("xgboost", START | {"n_estimators": 20, "subsample": 1.0, "colsample_bytree": 1.0}),
    ),
    "linear": (
        lambda task, features=FEATURES: Linear(features=features, task=task),
        Setting("linear", {"penalty": 0.01}),
    ),
}


def train(frame, task="binary", **training):
    config = make_config(task, training={"trials": 0} | training)
    return train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_half_life_follows_a_turn_of_the_truth_better(task, name):
    turned = make_frame(2000, task=task, turn=1200)
    found = {life: train(turned, task, families=[name], recency=life).metrics for life in (None, "4d")}

    assert found["4d"]["loss"] < 0.6 * found[None]["loss"]


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("name", FAMILIES)
def test_without_a_half_life_the_model_is_the_same_to_the_byte(task, name):
    family, setting = FAMILIES[name][0](task), FAMILIES[name][1]
    sample = usable(make_config(task), make_frame(400, task=task), NOW).sample(Span(0, 400))

    plain = family.pipeline(setting).fit(sample.features, sample.labels)

    assert sample.weights is None
    assert family.spec(fit(family, setting, sample)) == family.spec(plain)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_of_weight_two_is_that_row_twice(name):
    family, setting = FAMILIES[name][0]("regression", ONLY_NUMBERS), FAMILIES[name][1]
    frame = make_frame(60, task="regression")
    rows, labels = frame.select("a", "b").fill_null(50.0), frame["_label"].to_numpy() - 1000
    counts = np.arange(60) % 2 + 1
    twice = np.repeat(np.arange(60), counts)

    weighted = fit(family, setting, Sample(rows, labels, counts.astype(float)))
    repeated = fit(family, setting, Sample(rows[twice], labels[twice]))

    assert weighted.predict(rows) == pytest.approx(repeated.predict(rows), abs=1.0)


def test_ages_count_from_the_newest_row_that_is_learned_from():
    rows = usable(make_config(training={"recency": "10h"}), make_frame(400), NOW)

    assert rows.sample(Span(0, 300)).weights[-11:-9] == pytest.approx([0.5, 2**-0.9])
    assert rows.sample(Span(0, 100)).weights[-1] == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_even_a_half_life_of_a_second_makes_a_model(name):
    assert np.isfinite(train(make_frame(600), families=[name], recency="1s").metrics["loss"])


def test_a_faded_candidate_says_so_and_is_the_same_each_time():
    one, two = (train(make_frame(600), recency="30d") for _ in range(2))

    assert one.params["recency"] == "30d"
    assert "a row of age 30d counts half" in one.files["card.md"].decode()
    assert one.files == two.files


def test_a_candidate_that_does_not_fade_says_nothing_of_it():
    candidate = train(make_frame(600))

    assert "recency" not in candidate.params
    assert "counts half" not in candidate.files["card.md"].decode()


@given(
    ages=st.lists(st.floats(0, 1e9), min_size=1, max_size=20).map(sorted),
    life=st.floats(1e-3, 1e9),
)
def test_weights_grow_with_time_up_to_one_and_are_never_nothing(ages, life):
    weights = fading(np.array(ages), life)

    assert np.all(np.diff(weights) >= 0)
    assert weights[-1] == 1
    assert weights[0] > 0
