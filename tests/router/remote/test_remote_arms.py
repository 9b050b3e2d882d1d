"""Remote arms of a plan: the same rules as for any other version."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from router_making import Constant, Raises, plan_of, snapshot_of
from upstream_making import Rude, remote_of, remote_version, truth

from registry.records.plan import Guards
from registry.records.upstream import Upstream
from router.decode import Row
from router.models import Loaded, ModelCache, Snapshot
from router.predict import answer

KEYS = [f"k{i}" for i in range(20)]
ROWS = [Row(key=key, features={"x": float(i), "c": "a"}, id=f"p{i}", time=0.0) for i, key in enumerate(KEYS)]


def loaded(served, **changes):
    upstream = Upstream(**{"url": f"{served.url}/score", "protocol": "json", **changes})
    return Loaded(remote_version(), remote_of(upstream), ThreadPoolExecutor(1))


def with_arms(deadline_ms=2000.0, **arms):
    seen = snapshot_of(Constant(0.9), champion=Constant(0.1))
    plan = plan_of(guards=Guards(deadline_ms=deadline_ms))
    return Snapshot(plan, seen.loaded | arms, seen.breakers)


def ask(seen, rows=ROWS, times=1):
    async def asked():
        try:
            for _ in range(times):
                events = await answer(seen, rows, clock=lambda: 0.0, new_id=lambda: "n")
            return events
        finally:
            for arm in seen.loaded.values():
                if arm.remote:
                    await arm.remote.close()

    return asyncio.run(asked())


def test_a_remote_challenger_answers_its_own_callers_in_one_request(served):
    events = ask(with_arms(challenger=loaded(served)))

    theirs = [event for event in events if event.served == "challenger"]
    assert 0 < len(theirs) < len(events)
    assert all(event.score == pytest.approx(truth(event.features)) for event in theirs)
    assert {event.score for event in events if event.served == "champion"} == {0.1}
    assert len(served.asked) == 1


def test_a_remote_champion_answers_too(served):
    events = ask(with_arms(champion=loaded(served)))

    ours = [event for event in events if event.assigned == "champion"]
    assert all(event.score == pytest.approx(truth(event.features)) and event.error is None for event in ours)


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("500", "upstream_5xx"),
        ("nan", "not_finite"),
        ("null", "not_finite"),
        ("huge number", "not_json"),
        ("above 1", "out_of_range"),
        ("fewer", "wrong_shape"),
        ("hung", "deadline"),
    ],
)
def test_what_a_remote_challenger_does_not_answer_the_champion_does(served, mood, reason):
    served.mood = mood
    events = ask(with_arms(challenger=loaded(served), deadline_ms=150.0 if mood == "hung" else 2000.0))

    assert {event.score for event in events} == {0.1}
    assert {event.error for event in events if event.assigned == "challenger"} == {reason}


@pytest.mark.parametrize(
    ("mood", "reason"),
    [("hung", "champion_deadline"), ("500", "champion_upstream_5xx"), ("nan", "champion_not_finite")],
)
def test_a_remote_champion_that_fails_is_an_error_with_ids_and_never_a_promotion(served, mood, reason):
    served.mood = mood
    events = ask(with_arms(champion=loaded(served, deadline_ms=150.0)))

    ours = [event for event in events if event.assigned == "champion"]
    assert {(event.error, event.failed, event.served, event.score) for event in ours} == {
        (reason, True, "champion", None)
    }
    assert {event.score for event in events if event.assigned == "challenger"} == {0.9}
    assert [event.id for event in events] == [row.id for row in ROWS]


def test_a_challenger_and_a_remote_champion_that_both_fail_say_so(served):
    served.mood = "500"
    seen = with_arms(champion=loaded(served), challenger=snapshot_of(Raises(0.9)).loaded["challenger"])
    events = ask(seen)

    assert all(event.failed for event in events)
    assert {event.error for event in events if event.assigned == "challenger"} == {"raised"}


def test_the_variants_of_a_batch_are_asked_at_the_same_time(served):
    served.mood = "slow"
    seen = with_arms(champion=loaded(served), challenger=loaded(served))

    began = time.perf_counter()
    events = ask(seen)

    assert time.perf_counter() - began < 0.55
    assert {event.error for event in events} == {None}
    assert len(served.asked) == 2


def test_a_hung_upstream_never_blocks_the_event_loop(served):
    served.mood = "hung"
    seen = with_arms(challenger=loaded(served), deadline_ms=300.0)
    ours = [row for row in ROWS if seen.plan.assign(row.key).variant == "champion"]

    async def both():
        waiting = asyncio.create_task(answer(seen, ROWS, clock=lambda: 0.0, new_id=str))
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        for _ in range(10):
            await answer(seen, ours, clock=lambda: 0.0, new_id=str)
        spent, late = time.perf_counter() - began, waiting.done()
        await waiting
        await seen.loaded["challenger"].remote.close()
        return spent, late

    spent, late = asyncio.run(both())

    assert spent < 0.15
    assert not late


def test_failing_requests_open_the_circuit_and_then_nobody_is_asked():
    rude = Rude(b"")
    seen = with_arms(
        challenger=Loaded(remote_version(), remote_of(Upstream(url=rude.url, protocol="json")), ThreadPoolExecutor(1))
    )
    events = ask(seen, times=8)

    assert {event.error for event in events if event.assigned == "challenger"} == {"breaker_open"}
    assert rude.connections == 5
    rude.close()


def test_a_shadow_scores_by_the_same_call_as_of_local_versions(served):
    arm = loaded(served)

    scores, predictions = arm.prove([{"x": 1.0, "c": "a"}, {"x": -9.0, "c": "b"}])

    assert (scores[0], predictions) == (pytest.approx(truth({"x": 1.0, "c": "a"})), [1, 0])
    arm.retire()


def test_a_version_that_is_forgotten_lets_go_of_its_connections(served):
    remotes = []

    def load(_version):
        remotes.append(remote_of(Upstream(url=f"{served.url}/score", protocol="json")))
        return remotes[-1]

    cache = ModelCache(load, keep=1)
    cache.get(remote_version()).prove([{"x": 1.0, "c": "a"}])
    cache.get(remote_version(task="regression"))
    assert remotes[0]._runner is not None

    cache.get(msgspec.structs.replace(remote_version(), version="v2.0.0"))
    assert remotes[0]._runner is None


class Quick(Constant):
    """Compiled: may be called in the event loop."""

    class compiled:  # noqa: N801
        us_per_row = 3.0


def test_a_compiled_scorer_is_called_at_once_unless_there_are_many_rows():
    arm = snapshot_of(Quick(0.9)).loaded["challenger"]
    arm.pool.shutdown()  # no thread: it is not needed

    events = ask(with_arms(challenger=arm))

    assert {event.score for event in events if event.assigned == "challenger"} == {0.9}
    assert arm.quick(600)
    assert not arm.quick(700)
    assert not snapshot_of(Constant(0.9)).champion.quick(1)


def test_a_compiled_scorer_that_took_longer_than_its_deadline_was_late():
    class Late(Quick):
        def score(self, rows):
            time.sleep(0.03)
            return super().score(rows)

    events = ask(with_arms(challenger=snapshot_of(Late(0.9)).loaded["challenger"], deadline_ms=10.0))

    assert {event.error for event in events if event.assigned == "challenger"} == {"deadline"}
    assert {event.score for event in events} == {0.1}
