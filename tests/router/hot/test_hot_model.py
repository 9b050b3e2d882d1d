"""The short path answers and logs what the long one would; it is only quicker."""

import asyncio
import dataclasses
import json
from itertools import count

import msgspec
import pytest
from hot_making import slowed, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from router_making import Clock

from registry.eventlog.events import Event, Predicted
from router.decode import decode, rows_of
from router.hot.arms import CAPACITY
from router.hot.model import hot_model
from router.predict import answer
from router.tally import Tallies

NUMBER = st.none() | st.integers(-10, 10) | st.floats(-1e3, 1e3)
LEVEL = st.none() | st.sampled_from(["red", "blue", "green", "", "é"])
FEATURES = st.fixed_dictionaries({"x": NUMBER, "a colour!": LEVEL, "z": NUMBER})
KEY = st.none() | st.text(max_size=5) | st.integers() | st.just("vip") | st.booleans() | st.floats(0, 1) | st.just([])
ROW = st.fixed_dictionaries(
    {"features": FEATURES | FEATURES.map(lambda f: [f["x"], f["a colour!"], f["z"]])},
    optional={"key": KEY, "id": st.text('abc"\\é', min_size=1, max_size=3), "time": st.floats(0, 1e9)},
)
BODY = ROW | st.lists(ROW, min_size=1, max_size=5).map(lambda rows: {"rows": rows})
_event = msgspec.json.Decoder(Event)


def encoded(document, surrogates=False):
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def hot_answers(snap, bodies):
    hot = hot_model(snap, Tallies())
    assert hot is not None
    numbers = count()
    done = hot.answer(bodies, 123.5, lambda n: [b'"new-%d"' % next(numbers) for _ in range(n)])
    return done, [_event.decode(line) for line in done.lines]


def long_answers(snap, body):
    rows, batch = rows_of(decode(body), snap.champion.version.features)
    events = asyncio.run(answer(snap, rows, clock=lambda: 123.5, new_id=lambda: "new"))
    return events, batch


def bare(event: Predicted):
    fields = msgspec.to_builtins(event)
    if fields["id"].startswith("new"):
        fields["id"] = "new"
    return {name: value for name, value in fields.items() if name not in ("latency_ms", "place")}


@pytest.mark.parametrize("stopped", [None, "a guard"])
@pytest.mark.parametrize("task", ["binary", "regression"])
@given(bodies=st.lists(BODY, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_both_paths_give_the_same_answers_and_log_the_same_lines(task, stopped, bodies):
    snap = snapshot(task, stopped=stopped, shadows=("v1.1.0",), enrolment=90)
    raw = [encoded(body) for body in bodies]
    done, lines = hot_answers(snap, raw)

    logged = {event.id: event for event in lines}
    assert len(done.bodies) == len(raw)
    for body, told in zip(raw, done.bodies, strict=True):
        assert told is not None, body
        events, batch = long_answers(snap, body)
        said = json.loads(told)
        for one, event in zip(said["rows"] if batch else [said], events, strict=True):
            assert one["prediction"] == event.prediction
            assert one["score"] == pytest.approx(event.score, abs=1e-12)
            expected = (event.served, event.assigned, event.version, event.epoch, event.error or event.reason)
            assert (one["variant"], one["assigned"], one["model_version"], one["epoch"], one["reason"]) == expected
            if event.id == "new":
                ours = bare(logged[one["prediction_id"]])
                assert ours == bare(event) | {
                    "score": pytest.approx(event.score, abs=1e-12),
                    "prediction": pytest.approx(event.prediction),
                }


def test_an_open_breaker_sends_its_rows_to_the_champion_and_says_so():
    snap = snapshot()
    for _ in range(5):
        snap.breakers["challenger"].failed()
    done, [event] = hot_answers(snap, [encoded({"key": "vip", "features": [1, "red", 2]})])

    assert json.loads(done.bodies[0])["reason"] == "breaker_open"
    assert (event.assigned, event.served, event.error, event.latency_ms) == (
        "challenger",
        "champion",
        "breaker_open",
        0,
    )
    [(_, reason, n, enrolled, *_)] = done.counts
    assert (reason, n, enrolled) == ("breaker_open", 1, 0)


def test_a_request_counts_once_for_the_guards_on_both_paths_however_many_rows_it_has():
    rows = [{"key": f"k{i}", "features": [1, "red", 2]} for i in range(40)]
    bodies = [encoded({"rows": rows}), encoded(rows[0]), encoded({"rows": rows[:7]})]
    snap, long = snapshot(), Tallies()
    done, _ = hot_answers(snap, bodies)
    for body in bodies:
        long.count(long_answers(snap, body)[0])

    short = {tally.variant: requests for tally, *_, requests in done.counts}
    assert short == {tally.variant: tally.asked for tally in long}
    assert max(short.values()) == 3


def test_numbers_that_no_model_takes_leave_only_their_own_request_to_the_long_path():
    bodies = [encoded({"key": str(i), "features": [x, "red", 0]}) for i, x in enumerate([1, 3e38, -1e300, 2])]
    done, lines = hot_answers(snapshot(), bodies)

    assert [told is None for told in done.bodies] == [False, True, True, False]
    assert sorted(event.key for event in lines) == ["0", "3"]


def test_a_champion_without_a_compiled_scorer_has_no_short_path():
    from router_making import Constant, snapshot_of

    assert hot_model(snapshot_of(Constant(0.2)), Tallies()) is None


def test_what_is_more_than_one_call_holds_waits_for_the_next():
    bodies = [encoded({"rows": [{"key": "k", "features": [1, "red", 2]}] * n}) for n in (CAPACITY, 1, 1)]
    done, lines = hot_answers(snapshot(), bodies)

    assert len(lines) == CAPACITY and len(done.bodies) == 1


def test_more_rows_than_a_call_ever_holds_take_the_long_path():
    done, lines = hot_answers(snapshot(), [encoded({"rows": [{"features": [1, "red", 2]}] * (CAPACITY + 1)})])

    assert (done.bodies, lines) == ([None], [])


@pytest.mark.parametrize(("us_per_row", "most"), [(0.0, CAPACITY), (1.0, CAPACITY), (100.0, 50), (4_000.0, 1)])
def test_a_call_takes_no_longer_than_others_can_wait(us_per_row, most):
    snap = slowed(snapshot(), champion=us_per_row)

    assert hot_model(snap, Tallies()).most == most


def test_a_champion_that_takes_longer_for_one_row_has_no_short_path():
    assert hot_model(slowed(snapshot(), champion=6_000.0), Tallies()) is None


def test_a_slow_challenger_leaves_its_own_requests_to_the_long_path():
    bodies = [encoded({"key": key, "features": [1, "red", 2]}) for key in ("vip", None)]
    done, [event] = hot_answers(slowed(snapshot(), challenger=51.0), bodies)

    assert done.bodies[0] is None and (event.served, event.reason) == ("champion", "missing_key")


def test_a_batch_goes_one_way_as_a_whole():
    rows = [{"key": key, "features": [1, "red", 2]} for key in (None, "vip", None)]
    done, lines = hot_answers(slowed(snapshot(), challenger=51.0), [encoded({"rows": rows}), encoded(rows[0])])

    assert done.bodies[0] is None and done.bodies[1] is not None and len(lines) == 1


def test_only_the_worker_whose_turn_it_is_probes_a_challenger():
    body = encoded({"key": "vip", "features": [1, "red", 2]})
    clock = Clock()
    snap = snapshot(clock=clock)
    for _ in range(5):
        snap.breakers["challenger"].failed()
    clock.now = 61.0
    snap.breakers["challenger"].probes = False
    done, [event] = hot_answers(snap, [body])
    assert done.bodies[0] is not None and (event.served, event.error) == ("champion", "breaker_open")

    snap.breakers["challenger"].probes = True
    assert hot_answers(snap, [body])[0].bodies == [None]


def test_a_scorer_that_takes_a_number_for_a_level_has_no_short_path():
    snap = snapshot()
    champion = snap.champion
    features = tuple(msgspec.structs.replace(one, kind="numeric") for one in champion.version.features)
    version = msgspec.structs.replace(champion.version, features=features)
    snap.loaded["champion"] = dataclasses.replace(champion, version=version)

    assert hot_model(snap, Tallies()) is None
