"""What arrives in one turn of the event loop is answered together; nobody is left without an answer."""

import asyncio
import json

import pytest
from hot_making import snapshot

from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.hot.arms import CAPACITY
from router.hot.turn import Turns
from router.pace import Pace
from router.tally import Tallies


class Caller:
    def __init__(self):
        self.answers, self.long = [], 0

    def answer(self, body):
        self.answers.append(json.loads(body))

    def take_long_path(self):
        self.long += 1


class Made:
    def __init__(self, folder):
        self.snapshots, self.tallies, self.folder = {"m": snapshot()}, Tallies(), folder
        self.turns = Turns(self.snapshots, SegmentWriter(folder, "worker"), self.tallies, clock=lambda: 5.0)

    def ask(self, *bodies, model="m", callers=None, turns=1):
        callers = callers or [Caller() for _ in bodies]

        async def turn():
            for caller, body in zip(callers, bodies, strict=True):
                self.turns.add(model, caller, body)
            for _ in range(turns):
                await asyncio.sleep(0)

        asyncio.run(turn())
        return callers

    def logged(self):
        reader = SegmentReader(self.folder, ("worker",))
        return [event for path in reader.segments() for event in reader.read(path, 0)[0]]


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def body(key, **more):
    return json.dumps({"key": key, "features": [1, "red", 2]} | more).encode()


def test_requests_of_one_turn_are_scored_in_one_call_per_variant(made):
    callers = made.ask(*(body(f"k{i}") for i in range(40)))

    assert all(len(caller.answers) == 1 for caller in callers)
    assert {(event.assigned, event.latency_ms) for event in made.logged()} == {
        (tally.variant, tally.total_ms) for tally in made.tallies
    }
    assert sum(tally.rows for tally in made.tallies) == 40


def test_every_answer_has_an_id_of_its_own_that_is_in_the_log(made):
    ids = [caller.answers[0]["prediction_id"] for caller in made.ask(*(body("k") for _ in range(30)))]

    assert len(set(ids)) == 30 and {event.id for event in made.logged()} == set(ids)


def test_a_new_plan_holds_from_the_next_turn_on(made):
    [before] = made.ask(body("k"))
    made.snapshots["m"] = snapshot(epoch=9, phase="later")
    [after] = made.ask(body("k"))

    assert [before.answers[0]["epoch"], after.answers[0]["epoch"]] == [2, 9]
    assert [event.phase for event in made.logged()] == ["canary", "later"]


def test_whatever_breaks_on_the_short_path_the_long_one_answers(made, monkeypatch):
    monkeypatch.setattr("router.hot.turn.hot_model", lambda *_: 1 / 0)
    [caller] = made.ask(body("k"))

    assert (caller.answers, caller.long) == ([], 1)


def test_an_unknown_model_is_left_to_the_long_path(made):
    [caller] = made.ask(body("k"), model="other")

    assert caller.long == 1


def test_callers_are_answered_when_the_disk_refuses_and_it_is_counted(tmp_path):
    (tmp_path / "file").touch()
    writer = SegmentWriter(tmp_path / "file", "worker")
    turns, caller = Turns({"m": snapshot()}, writer, Tallies()), Caller()

    async def turn():
        turns.add("m", caller, body("k"))
        await asyncio.sleep(0)

    asyncio.run(turn())
    assert caller.answers and writer.unlogged == 1 and writer.failing


def test_a_turn_of_more_requests_than_one_call_holds_stays_on_the_short_path(made):
    callers = made.ask(*(body(f"k{i}") for i in range(3 * CAPACITY)), turns=4)

    assert all(len(caller.answers) == 1 and caller.long == 0 for caller in callers)
    assert len(made.logged()) == 3 * CAPACITY


def test_a_connection_that_fails_takes_no_answer_from_the_others(made, caplog):
    class Broken(Caller):
        def answer(self, body):
            raise OSError("gone")

    callers = [Broken(), Caller(), Broken(), Caller()]
    made.ask(*(body("k") for _ in callers), callers=callers)

    assert [len(caller.answers) for caller in callers] == [0, 1, 0, 1]
    assert len(caplog.records) == 1  # it may be so in every turn


LONG = {"rows": [{"key": "vip", "features": [1, "red", 2]}] * 1000}


def test_a_long_batch_is_one_request_for_the_guards(made):
    told = asyncio.run(made.turns.batch("m", json.dumps(LONG).encode(), Pace()))

    [tally] = made.tallies
    assert (tally.rows, tally.asked, len(made.logged())) == (1000, 0, 1000)  # forced rows take no part
    assert len(json.loads(told)["rows"]) == 1000
    keyed = {"rows": [{"key": f"k{i}", "features": [1, "red", 2]} for i in range(2000)]}
    asyncio.run(made.turns.batch("m", json.dumps(keyed).encode(), Pace()))
    assert [tally.asked for tally in made.tallies] == [1, 1]
    assert sum(tally.enrolled for tally in made.tallies) == 2000


@pytest.mark.parametrize("last", [{"x": 3e38}, {"x": "odd"}, {}])
def test_of_a_long_batch_that_the_long_path_must_answer_nothing_is_logged(made, last):
    rows = [*LONG["rows"], {"features": {"a colour!": "red", "z": 1} | last}]

    assert asyncio.run(made.turns.batch("m", json.dumps({"rows": rows}).encode(), Pace())) is None
    assert (made.logged(), list(made.tallies), made.turns.answered) == ([], [], 0)


def test_scores_that_cannot_be_told_take_the_whole_batch_to_the_long_path(tmp_path):
    made = Made(tmp_path)
    made.snapshots["m"] = snapshot("regression")
    rows = [{"features": [1, "red", 2]}] * 600 + [{"features": [2.9e38, "red", 2.9e38]}]
    made.snapshots["m"].loaded["champion"].scorer.compiled = Infinite(made.snapshots["m"].champion.scorer.compiled)

    assert asyncio.run(made.turns.batch("m", json.dumps({"rows": rows}).encode(), Pace())) is None
    assert made.logged() == []


class Infinite:
    """Says infinity of large numbers."""

    def __init__(self, real):
        self.real, self.features, self.levels, self.us_per_row = real, real.features, real.levels, 1.0

    def scores(self, raw, n, out):
        self.real.scores(raw, n, out)
        out[:n][raw[:n, 0] > 1e38] = float("inf")
