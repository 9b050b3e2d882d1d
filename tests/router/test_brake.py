"""What the workers stop the registry learns by itself, whenever it answers; a failing champion pauses the ramp."""

import shutil
import threading
import time

import msgspec
import pytest
from router_live import AT, plan_after, register

from registry.errors import StoreUnavailable
from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentWriter
from registry.records.plan import Arm, Slice
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry
from router.board import Board
from router.brake import Brake, take_off
from router.keeper import Keeper
from router.lastgood import Kept, Override, keep, override_of, overrides
from router.report import Report, Stop

REASON = "challenger v1.1.0: 20 of the last 20 requests failed"


class Doors:
    """A registry that can be shut."""

    def __init__(self, settings):
        self.settings, self.shut = settings, False

    def open(self):
        if self.shut:
            raise StoreUnavailable("The registry was not opened.", "It is away.", "Wait.")
        return Registry.open(self.settings.registry_url)


@pytest.fixture
def doors(settings):
    return Doors(settings)


@pytest.fixture
def canary(settings, registry):
    plan = plan_after(registry, 300_000)
    registry.publish_plan(plan)
    versions = {name: registry.version("m", name) for name in ("v1.0.0", "v1.1.0")}
    keep(settings.run_dir / "plans", Kept(plan=plan, versions=versions))
    return plan


@pytest.fixture
def worker(settings):
    return Board.open(settings.run_dir, "worker")


def kinds(keeper):
    return [note["kind"] for note in keeper.notes("m", 10)]


def turns(keeper, until, seconds=15):
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        keeper.turn()
        time.sleep(0.01)


def test_what_a_worker_stopped_is_rolled_back_in_the_registry_with_its_reason(
    settings, registry, canary, worker, doors
):
    keeper = Keeper(settings, doors.open)
    worker.publish(Report(stops={"m": Stop(2, REASON)}))

    keeper.turn()
    keeper.turn()

    newest = registry.plan("m")
    assert (newest.epoch, newest.challengers, newest.actor, newest.reason) == (3, (), "router", REASON)
    assert kinds(keeper) == ["rolled_back"]
    assert registry.audit("m", 1)[0].actor == "router"


def test_what_was_stopped_while_the_registry_was_away_is_rolled_back_by_the_next_control_process(
    settings, registry, canary, worker, doors
):
    doors.shut = True
    first = Keeper(settings, doors.open)
    worker.publish(Report(stops={"m": Stop(2, REASON)}))
    first.turn()
    assert kinds(first) == ["stopped"]
    assert registry.plan("m").epoch == 2

    doors.shut = False
    second = Keeper(settings, doors.open)
    second.turn()

    assert (registry.plan("m").epoch, registry.plan("m").challengers) == (3, ())
    assert kinds(second) == ["rolled_back", "stopped"]


def test_an_operators_rollback_need_not_be_given_again_when_the_registry_is_back(settings, registry, canary, doors):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    with pytest.raises(StoreUnavailable):
        keeper.roll_back("m", actor="ann", reason="it smells")
    assert override_of(settings.run_dir / "plans", "m") == Override(epoch=2, reason="it smells", actor="ann")

    doors.shut = False
    again = Keeper(settings, doors.open)
    turns(again, until=lambda: registry.plan("m").epoch == 3)

    assert (registry.plan("m").actor, registry.plan("m").challengers) == ("ann", ())


def test_with_a_full_disk_the_board_remembers_what_is_owed(settings, registry, canary, doors):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    shutil.rmtree(settings.run_dir / "plans")
    (settings.run_dir / "plans").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        keeper._take_off(canary, "ann", "it smells")
    assert overrides(settings.run_dir / "plans") == {}

    doors.shut = False
    turns(Keeper(settings, doors.open), until=lambda: registry.plan("m").epoch == 3)

    assert registry.plan("m").challengers == ()


def test_a_rollback_that_is_owed_takes_no_champion_away(settings, registry, canary, worker, doors):
    worker.publish(Report(stops={"m": Stop(2, REASON)}))
    registry.roll_back("m", actor="ann", reason="first", at=canary.created_at)
    keeper = Keeper(settings, doors.open)

    keeper.turn()
    keeper.turn()

    assert (registry.plan("m").epoch, registry.plan("m").actor) == (3, "ann")
    assert kinds(keeper) == []


def test_a_rollback_that_comes_second_leaves_the_champion_where_it_is(settings, registry, canary):
    promoted = promote(settings, registry, canary)
    trial = msgspec.structs.replace(
        canary, epoch=promoted.epoch + 1, arms=(promoted.arms[0], Arm(variant="challenger", version="v1.2.0"))
    )
    registry.publish_plan(trial)
    first = registry.roll_back("m", actor="ann", reason="first", at=trial.created_at)

    second = take_off(registry, trial, "router", REASON, trial.created_at)

    assert second == first == registry.plan("m")
    assert registry.plan("m").version_of("champion") == "v1.1.0"


def promote(settings, registry, canary):
    """The challenger of the canary becomes the champion."""
    register(settings, registry, "v1.2.0", 1.5)
    rollout = Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=1_000_000, min_s=0, max_s=0),),
        policy=PromotionPolicy(metric="auc"),
        salt="s",
        step_started_at=AT,
        created_at=AT,
    )
    said = {"actor": "ann", "reason": "good", "at": AT}
    registry.start_rollout(rollout, **said)
    plan = msgspec.structs.replace(
        canary,
        epoch=canary.epoch + 1,
        phase="promoted",
        slices=(Slice(variant="champion", weight=1_000_000),),
        arms=(Arm(variant="champion", version="v1.1.0"),),
    )
    done = msgspec.structs.replace(rollout, status="succeeded", revision=2)
    registry.move_rollout(done, plan=plan, stages={"v1.1.0": "production", "v1.0.0": "archived"}, **said)
    return plan


def test_what_the_registry_knows_it_is_not_asked_again(settings, registry, canary, worker):
    asked = []
    brake = Brake(settings.run_dir, lambda: asked.append(1) or registry, lambda _: AT, lambda *_, **__: None)
    worker.publish(Report(stops={"m": Stop(2, REASON)}))
    brake.follow()
    assert registry.plan("m").epoch == 3
    before = len(asked)

    for _ in range(5):
        brake.follow()

    assert len(asked) == before


def test_what_a_killed_control_process_owed_is_not_lost_when_the_next_one_has_something_to_say(
    settings, registry, canary
):
    dead = Board.open(settings.run_dir, "control")
    dead.publish(Report(stops={"m": Stop(2, REASON)}))
    dead.close()
    brake = Brake(settings.run_dir, lambda: registry, lambda _: AT, lambda *_, **__: None)
    brake.hold("another", Override(epoch=1, reason="it smells"))

    brake.follow()

    assert registry.plan("m").challengers == ()


def test_a_stop_of_an_earlier_epoch_is_not_held_against_the_next_challenger(settings, registry, canary, worker, doors):
    whole = (Slice(variant="champion", weight=1_000_000),)
    registry.publish_plan(plan_after(registry, 0, phase="back", arms=canary.arms[:1], slices=whole))
    registry.publish_plan(plan_after(registry, 300_000, phase="another", salt="another"))
    worker.publish(Report(stops={"m": Stop(2, REASON)}))
    keeper = Keeper(settings, doors.open)

    for _ in range(3):
        keeper.turn()

    assert (registry.plan("m").epoch, registry.plan("m").phase) == (4, "another")


def test_a_rollout_that_went_on_while_its_rollback_was_owed_is_rolled_back_all_the_same(canary):
    stop = Override(epoch=2, reason=REASON, rollout="r-0001")
    later = msgspec.structs.replace(canary, epoch=3, phase="r-0001.2", rollout_id="r-0001")

    assert stop.holds(later)
    assert Stop(2, REASON, "r-0001").holds(later)
    assert not stop.holds(msgspec.structs.replace(later, rollout_id="r-0002"))
    assert not Override(epoch=2, reason=REASON).holds(msgspec.structs.replace(later, rollout_id=None))


def test_a_failing_champion_pauses_the_ramp_once_and_promotes_nobody(settings, registry, canary, worker, doors):
    keeper = Keeper(settings, doors.open)
    worker.publish(Report(alerts={"m": Stop(2, "the champion fails: 9 of the last 9 requests failed")}))

    for _ in range(3):
        keeper.turn()

    newest = registry.plan("m")
    assert (newest.epoch, newest.paused, newest.slices, newest.actor) == (3, True, canary.slices, "router")
    assert newest.version_of("champion") == "v1.0.0"
    assert kinds(keeper) == ["champion_failing"]
    assert kinds(Keeper(settings, doors.open)) == ["champion_failing"]


def test_a_failing_champion_without_a_challenger_is_noted_once_by_however_many_control_processes(
    settings, registry, worker, doors
):
    worker.publish(Report(alerts={"m": Stop(1, "the champion fails")}))
    for _ in range(3):
        keeper = Keeper(settings, doors.open)
        keeper.turn()

    assert registry.plan("m").epoch == 1
    assert kinds(keeper) == ["champion_failing"]


def test_what_the_workers_stop_waits_for_no_statistics(settings, registry, canary, worker, doors):
    keeper, stop = Keeper(settings, doors.open), threading.Event()
    running = threading.Thread(target=keeper.run, args=(stop,))
    with keeper._lock:  # as long as the guards compute
        running.start()
        worker.publish(Report(stops={"m": Stop(2, REASON)}))
        deadline = time.monotonic() + 10
        while registry.plan("m").epoch == 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        epoch = registry.plan("m").epoch
    stop.set()
    running.join()

    assert epoch == 3


def test_without_room_for_a_board_control_works_without_one(settings, registry, canary, doors):
    shutil.rmtree(settings.run_dir)
    settings.run_dir.write_text("a file where the folder should be")
    keeper = Keeper(settings, doors.open)

    assert keeper.seen() == []
    assert keeper.roll_back("m", actor="ann", reason="it smells").challengers == ()


def test_the_clock_of_a_model_is_its_newest_request_whatever_the_names_of_its_phases(settings, registry, doors):
    keeper, places = Keeper(settings, doors.open), [("k", "b"), ("k", "a"), ("k", "c"), ("k", "a"), ("n", "z")]
    SegmentWriter(settings.events_dir, "worker").append([predicted(n, *place) for n, place in enumerate(places)])
    keeper.turn()

    assert [keeper.now(model).timestamp() for model in ("k", "n")] == [1003.0, 1004.0]


def test_a_model_whose_requests_come_now_lives_by_the_wall_clock_also_while_nobody_calls(settings, registry, doors):
    keeper, asked = Keeper(settings, doors.open), time.time() - 30
    SegmentWriter(settings.events_dir, "worker").append([predicted(0, "n", "z", since=asked)])
    keeper.turn()

    assert abs(keeper.now("n").timestamp() - time.time()) < 5


def test_nothing_is_dated_before_the_plan_in_force(settings, registry, canary, doors):
    keeper = Keeper(settings, doors.open)
    SegmentWriter(settings.events_dir, "worker").append([predicted(0, "m", "a")])
    keeper.turn()

    assert keeper.plan("m") == canary
    assert keeper.now("m") == canary.created_at


def predicted(number, model, phase, *, since=1000.0):
    return Predicted(
        model=model,
        id=f"p{number}",
        key="k",
        time=since + number,
        features={"x": 1.0},
        assigned="champion",
        served="champion",
        assigned_version="v1.0.0",
        version="v1.0.0",
        epoch=1,
        phase=phase,
        enrolled=True,
        reason="bucket",
        score=0.5,
        prediction=1,
        latency_ms=1.0,
    )
