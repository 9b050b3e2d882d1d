"""What a scorer says is checked before anybody hears it; what was loaded stays warm."""

import numpy as np
import pytest
from router_making import Constant, Scoring, loaded_of, version_of

from router.models import ModelCache, reason_of

ROWS = [{"x": 1.0}, {"x": 2.0}]


def test_a_good_answer_is_scores_and_predictions():
    assert loaded_of("v1.0.0", Constant(0.75)).answer(ROWS) == ([0.75, 0.75], [1, 1])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (np.array([0.5]), "wrong_shape"),
        (np.array([0.5, 0.5, 0.5]), "wrong_shape"),
        (np.array([0.5, np.nan]), "not_finite"),
        (np.array([-np.inf, 0.5]), "not_finite"),
        (np.array([[0.1, 0.9], [0.2, 0.8]]), "raised"),
        (None, "raised"),
        (["a", "b"], "raised"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_with_its_reason(said, reason):
    with pytest.raises((ValueError, TypeError)) as refused:
        loaded_of("v1.0.0", Scoring(lambda _rows: said)).answer(ROWS)

    assert reason_of(refused.value) == reason


def test_predictions_that_are_fewer_than_the_rows_are_refused():
    class Sparing(Constant):
        def predictions(self, scores):
            return [1]

    with pytest.raises(ValueError, match="1 predictions for 2 rows"):
        loaded_of("v1.0.0", Sparing(0.5)).answer(ROWS)


@pytest.mark.parametrize("value", [-0.01, 1.2])
def test_a_challenger_must_keep_probabilities_between_0_and_1(value):
    with pytest.raises(ValueError, match="out_of_range"):
        loaded_of("v1.0.0", Constant(value)).prove(ROWS)

    assert loaded_of("v1.0.0", Constant(value), task="regression").prove(ROWS)[0] == [value, value]


def test_a_foreign_error_is_counted_under_one_word():
    assert reason_of(ValueError("could not convert string to float: 'a'")) == "raised"
    assert reason_of(RuntimeError("not_finite")) == "raised"


def test_a_version_is_loaded_once_and_the_newest_few_stay_warm():
    loads = []

    def load(version):
        loads.append(version.version)
        return Constant(0.5)

    cache = ModelCache(load, keep=2)
    for version in ("v1.0.0", "v1.1.0", "v1.0.0", "v1.2.0", "v1.0.0", "v1.1.0"):
        assert cache.get(version_of(version)).version.version == version

    assert loads == ["v1.0.0", "v1.1.0", "v1.2.0", "v1.1.0"]


def test_models_with_the_same_versions_do_not_crowd_each_other_out():
    cache = ModelCache(lambda _version: Constant(0.5), keep=1)
    first = cache.get(version_of("v1.0.0", "a"))
    cache.get(version_of("v1.0.0", "b"))

    assert cache.get(version_of("v1.0.0", "a")) is first


def test_what_failed_to_load_is_tried_again():
    answers = iter([OSError("not there yet"), Constant(0.5)])

    def load(_version):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    cache = ModelCache(load)
    with pytest.raises(OSError, match="not there yet"):
        cache.get(version_of("v1.0.0"))

    assert cache.get(version_of("v1.0.0")).version.version == "v1.0.0"
