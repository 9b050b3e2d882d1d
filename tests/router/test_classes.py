"""Answers and labels of a multi-class version."""

import asyncio

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from router_making import Constant, loaded_of, plan_of, version_of

from router.app import _told
from router.breaker import Breaker
from router.classes import Names, chosen, logged
from router.decode import Row
from router.hot.model import hot_model
from router.models import Loaded, Snapshot, reason_of
from router.predict import answer
from router.tally import Tallies

CLASSES = ("cat", "dog", "eel", "fox")
ROWS = [{"x": 1.0}, {"x": 2.0}]
TABLE = np.array([[0.1, 0.6, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])


class Chances(Constant):
    """Says the same probabilities of every row."""

    def __init__(self, table) -> None:
        super().__init__(0.5)
        self.table = np.asarray(table)

    def probabilities(self, rows):
        return self.table


def multi(version, scorer, classes=CLASSES) -> Loaded:
    loaded = loaded_of(version, scorer)
    record = msgspec.structs.replace(version_of(version), task="multiclass", classes=classes)
    return Loaded(record, scorer, loaded.pool)


def snapshot(champion, challenger=None) -> Snapshot:
    share = 0 if challenger is None else 500_000
    loaded = {"champion": multi("v1.0.0", champion)} | ({} if challenger is None else {"challenger": challenger})
    return Snapshot(plan_of(share), loaded, {"challenger": Breaker(5, 2.0, lambda: 0.0)} if share else {})


def asked(shot, rows):
    events = asyncio.run(answer(shot, rows, clock=lambda: 1.0, new_id=lambda: "p"))
    return events, _told(shot, events)


@given(arrays(np.float64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(0, 1)))
def test_the_most_probable_class_is_chosen_and_its_probability_is_the_score(table):
    scores, said = chosen(table, len(table), CLASSES)

    assert scores == [max(row) for row in table.tolist()]
    assert [one.number for one in said] == [row.index(max(row)) for row in table.tolist()]
    assert [list(one.probabilities) for one in said] == table.tolist()


def test_a_caller_gets_the_name_and_all_probabilities_and_the_log_the_number():
    events, told = asked(snapshot(Chances(TABLE)), [Row("a", ROWS[0], None, None), Row("b", ROWS[1], None, None)])

    assert [one["prediction"] for one in told] == ["dog", "cat"]
    assert [one["score"] for one in told] == [0.6, 0.7]
    assert told[0]["probabilities"] == dict(zip(CLASSES, TABLE[0], strict=True))
    assert [event.prediction for event in events] == [1, 0]
    assert b'"probabilities":[0.1,0.6,0.2,0.1]' in msgspec.json.encode(events[0])


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (TABLE[:1], "wrong_shape"),
        (TABLE[:, :3], "wrong_shape"),
        (TABLE[0], "wrong_shape"),
        (TABLE * np.nan, "not_finite"),
        (TABLE * 2, "out_of_range"),
        (TABLE - 0.2, "out_of_range"),
    ],
)
def test_a_challenger_that_says_no_probabilities_is_refused_with_its_reason(table, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        multi("v1.1.0", Chances(table)).prove(ROWS)

    assert reason_of(refused.value) == reason


def test_the_champion_answers_for_a_challenger_that_says_no_probabilities():
    shot = snapshot(Chances(TABLE[:1]), multi("v1.1.0", Chances(TABLE[:1] * 2)))
    for key in map(str, range(40)):
        [event], [told] = asked(shot, [Row(key, ROWS[0], None, None)])
        assert (told["prediction"], told["variant"]) == ("dog", "champion")
        if event.assigned == "challenger":
            assert event.error in ("out_of_range", "breaker_open")


def test_a_failed_champion_says_nothing_at_all():
    _, [told] = asked(snapshot(Chances(None)), [Row("a", ROWS[0], None, None)])

    assert told["prediction"] is None
    assert "probabilities" not in told


def test_the_short_path_leaves_several_classes_to_the_long_one():
    class Compiled:
        features, levels, us_per_row = ("x",), (None,), 1.0

    scorer = Chances(TABLE)
    scorer.compiled = Compiled()

    assert hot_model(snapshot(scorer), Tallies()) is None


def test_a_label_is_the_name_of_a_class_or_its_number():
    names = Names(CLASSES)

    assert [names.number(value) for value in ("cat", "fox", 0, 3.0)] == [0.0, 3.0, 0.0, 3.0]
    for wrong in ("cow", 4, -1, 1.5, None, True, float("nan"), [1], float("inf")):
        assert "expected one of the classes 'cat', 'dog', 'eel', 'fox'" in names.number(wrong)


def test_where_classes_are_written_as_numbers_a_number_is_a_name():
    stars = Names(("1", "2", "3", "4", "5"))

    assert (stars.number(3), stars.number("3"), stars.number(5.0)) == (2.0, 2.0, 4.0)
    assert "value is 0" in stars.number(0)


def test_other_predictions_are_logged_as_they_are():
    assert [logged(prediction) for prediction in (1, 0.5, None)] == [(1, None), (0.5, None), (None, None)]


def test_machine_code_of_several_classes_is_asked_within_the_loop():
    scorer = Chances(TABLE)
    assert not multi("v1.0.0", scorer).quick(1)

    scorer.compiled, scorer.us_per_row = None, 5.0
    assert multi("v1.0.0", scorer).quick(1)
