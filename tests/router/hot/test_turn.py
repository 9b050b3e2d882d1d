"""What arrives in one turn of the event loop is answered together; nobody is left without an answer."""

import asyncio
import json

import pytest
from hot_making import snapshot

from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.hot.turn import Turns
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

    def ask(self, *bodies, model="m"):
        callers = [Caller() for _ in bodies]

        async def turn():
            for caller, body in zip(callers, bodies, strict=True):
                self.turns.add(model, caller, body)
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
