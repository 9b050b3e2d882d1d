"""The hand on the brake works with and without a registry, and for each model by itself."""

import shutil
import threading
import time

import msgspec
import pytest
from router_live import plan_after

from registry.assignment import TOTAL
from registry.errors import Refusal, StoreUnavailable
from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import SegmentReader, SegmentWriter
from registry.records.plan import Slice
from registry.store.registry import Registry
from router.board import Board, Report
from router.errors import UnknownModel
from router.keeper import Keeper
from router.lastgood import Kept, keep, override_of


def predicted(number, *, variant="challenger", phase="canary", epoch=2, error=None, **changes):
    version = "v1.0.0" if variant == "champion" else "v1.1.0"
    values = {
        "model": "m",
        "id": f"p{number}",
        "key": f"k{number}",
        "time": 1000.0 + number,
        "features": {"x": 1.0, "c": "a"},
        "assigned": variant,
        "served": "champion" if error else variant,
        "assigned_version": version,
        "version": "v1.0.0" if error else version,
        "epoch": epoch,
        "phase": phase,
        "enrolled": True,
        "reason": "bucket",
        "score": 0.5,
        "prediction": 1,
        "latency_ms": 1.0,
        "error": error,
    }
    return Predicted(**(values | changes))


FAILURES = [predicted(number, error="raised") for number in range(20)]


WHOLE = (Slice(variant="champion", weight=TOTAL),)


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
    """A canary in the registry, and kept as the last good plan, as a worker does it."""
    plan = plan_after(registry, 300_000)
    registry.publish_plan(plan)
    versions = {name: registry.version("m", name) for name in ("v1.0.0", "v1.1.0")}
    keep(settings.run_dir / "plans", Kept(plan=plan, versions=versions))
    return plan


@pytest.fixture
def writer(settings):
    return SegmentWriter(settings.events_dir, "worker")


def turns(keeper, until=lambda: False, seconds=0.3):
    """Turns until something holds: the guards rest between their looks."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        keeper.turn()
        time.sleep(0.005)


def stopped(settings, model="m"):
    return override_of(settings.run_dir / "plans", model)


def test_a_failing_challenger_is_rolled_back_with_its_numbers(settings, registry, canary, writer, doors):
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)

    keeper.turn()

    assert registry.plan("m").challengers == ()
    assert (registry.plan("m").epoch, registry.plan("m").actor) == (3, "router")
    assert stopped(settings).epoch == 2
    assert "20 of 20 requests failed" in keeper.notes("m", 10)[0]["said"]


def test_while_workers_watch_errors_themselves_control_leaves_them_to_it(settings, registry, canary, writer, doors):
    board = Board.open(settings.run_dir, "worker")
    board.publish(Report())
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)
    keeper.turn()
    assert registry.plan("m").epoch == 2

    board.close()
    writer.append([predicted(99, error="raised")])
    keeper.turn()

    assert registry.plan("m").epoch == 3


def test_a_good_challenger_stays(settings, registry, canary, writer, doors):
    keeper = Keeper(settings, doors.open)
    writer.append([predicted(n, variant=v) for n, v in enumerate(["champion", "challenger"] * 100)])

    assert keeper.turn()

    assert registry.plan("m").epoch == 2
    assert (stopped(settings), keeper.notes("m", 10)) == (None, [])


def test_without_a_registry_from_the_start_a_failing_challenger_is_stopped_all_the_same(
    settings, canary, writer, doors
):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)

    keeper.turn()

    assert stopped(settings).epoch == 2
    assert "20 of 20 requests failed" in stopped(settings).reason


def test_what_was_stopped_without_a_registry_is_rolled_back_once_it_is_there(settings, registry, canary, writer, doors):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)
    turns(keeper)
    assert registry.plan("m").epoch == 2
    assert [note["kind"] for note in keeper.notes("m", 10)] == ["stopped"]

    doors.shut = False
    turns(keeper, until=lambda: registry.plan("m").epoch == 3, seconds=10)

    assert (registry.plan("m").epoch, registry.plan("m").challengers) == (3, ())
    assert [note["kind"] for note in keeper.notes("m", 10)] == ["rolled_back", "stopped"]


def test_what_was_held_against_one_challenger_is_not_held_against_the_next(settings, registry, canary, writer, doors):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)
    keeper.turn()
    registry.publish_plan(plan_after(registry, 0, phase="back", arms=canary.arms[:1], slices=WHOLE))
    registry.publish_plan(plan_after(registry, 300_000, phase="another", salt="another"))

    doors.shut = False
    turns(keeper)

    assert (registry.plan("m").epoch, registry.plan("m").phase) == (4, "another")


def test_the_metrics_of_a_model_need_no_registry(settings, canary, writer, doors):
    doors.shut = True
    keeper = Keeper(settings, doors.open)
    writer.append([predicted(1), Observed(model="m", id="o", prediction_id="p1", metric="label", value=0.0, time=2e3)])
    keeper.turn()

    [phase] = keeper.metrics("m").phases

    assert phase.variants["challenger"].loss.mean == 0.25


def test_a_model_that_nobody_knows_keeps_the_guard_from_no_other(settings, registry, canary, writer, doors):
    keeper = Keeper(settings, doors.open)
    strangers = [predicted(0, model=name) for name in "abcdefgh"]
    writer.append([*strangers, *FAILURES])

    keeper.turn()

    assert registry.plan("m").epoch == 3


@pytest.mark.parametrize("time", [-9e10, 9e10, 0.0])
def test_no_time_that_a_caller_may_send_stops_a_rollback(settings, registry, canary, writer, doors, time):
    keeper = Keeper(settings, doors.open)
    writer.append([msgspec.structs.replace(event, time=time) for event in FAILURES])

    keeper.turn()

    assert registry.plan("m").challengers == ()


def test_failures_of_an_earlier_phase_are_not_held_against_this_one(settings, registry, canary, writer, doors):
    keeper = Keeper(settings, doors.open)
    writer.append([predicted(n, phase="former", epoch=1, error="raised") for n in range(20)])

    keeper.turn()

    assert registry.plan("m").epoch == 2


def test_an_operators_rollback_works_on_a_plan_published_by_hand(settings, registry, canary, doors):
    keeper = Keeper(settings, doors.open)

    plan = keeper.roll_back("m", actor="ann", reason="it smells")

    assert plan == registry.plan("m")
    assert (plan.epoch, plan.actor, plan.reason, plan.challengers) == (3, "ann", "it smells", ())
    assert keeper.notes("m", 1)[0]["said"] == "it smells (by ann)"


def test_an_operators_rollback_without_a_registry_stops_the_challengers_and_says_that_it_is_away(
    settings, canary, doors
):
    doors.shut = True
    keeper = Keeper(settings, doors.open)

    with pytest.raises(StoreUnavailable, match="away"):
        keeper.roll_back("m", actor="ann", reason="it smells")

    assert stopped(settings).epoch == 2


def test_a_model_without_a_plan_is_refused_by_name(settings, doors):
    with pytest.raises(UnknownModel, match="'nobody'"):
        Keeper(settings, doors.open).metrics("nobody")


def test_a_new_control_process_finds_what_the_killed_one_knew(settings, registry, canary, writer, doors):
    writer.append([predicted(n) for n in range(10)])
    Keeper(settings, doors.open).turn()
    writer.append([predicted(n) for n in range(10, 15)])

    again = Keeper(settings, doors.open)
    assert again.metrics("m").predictions == 10
    assert again.turn()
    assert not again.turn()

    assert again.metrics("m").predictions == 15


def test_syncing_gives_up_on_a_dead_shadow_in_time(settings, registry, writer, doors):
    registry.publish_plan(plan_after(registry, 0, phase="shadow", shadows=("v1.1.0",)))
    writer.append([predicted(1, variant="champion", phase="shadow", shadows=("v1.1.0",))])

    metrics = Keeper(settings, doors.open).sync("m", timeout=0.1)

    shadow = metrics.phases[0].shadows["v1.1.0"]
    assert (shadow.copies, shadow.scored) == (1, 0)


def test_a_refused_rollback_to_a_version_leaves_everything_as_it_was(settings, registry, canary, doors):
    with pytest.raises(Refusal):
        Keeper(settings, doors.open).roll_back("m", actor="ann", reason="x", to="v9.9.9")

    assert registry.plan("m") == canary
    assert stopped(settings) is None


def test_a_rollback_does_not_wait_for_a_long_log_to_be_read(settings, registry, canary, doors, monkeypatch):
    for number in range(20):
        SegmentWriter(settings.events_dir, "worker").append([predicted(number)])
    keeper, read, reading = Keeper(settings, doors.open), SegmentReader.payloads, threading.Event()

    def slowly(*args):
        reading.set()
        time.sleep(0.1)
        return read(*args)

    monkeypatch.setattr(SegmentReader, "payloads", slowly)
    turning = threading.Thread(target=keeper.turn)
    turning.start()
    try:
        assert reading.wait(10)
        keeper.roll_back("m", actor="ann", reason="it smells")
        assert turning.is_alive()
    finally:
        turning.join()

    assert registry.plan("m").challengers == ()
    assert [note["said"] for note in keeper.notes("m", 10)] == ["it smells (by ann)"]
    assert keeper.metrics("m").predictions == 20


def test_a_disk_that_takes_no_override_keeps_no_challenger_in_the_registry(settings, registry, canary, writer, doors):
    shutil.rmtree(settings.run_dir / "plans")
    (settings.run_dir / "plans").write_text("a file where the folder should be")
    keeper = Keeper(settings, doors.open)
    writer.append(FAILURES)

    keeper.turn()

    assert registry.plan("m").challengers == ()


def test_a_rollback_that_cannot_be_noted_is_one_all_the_same(settings, registry, canary, doors):
    keeper = Keeper(settings, doors.open)
    keeper._db.execute("DROP TABLE notes")

    assert keeper.roll_back("m", actor="ann", reason="it smells").challengers == ()
    assert registry.plan("m").epoch == 3


def test_a_note_that_the_disk_refuses_is_kept_when_it_no_longer_does(settings, registry, canary, doors):
    keeper = Keeper(settings, doors.open)
    keeper._db.execute("ALTER TABLE notes RENAME TO away")
    for _ in range(3):
        keeper.note("m", "stopped", "the registry is away", once=True)
    keeper.roll_back("m", actor="ann", reason="it smells")
    keeper._db.execute("ALTER TABLE away RENAME TO notes")

    assert [note["kind"] for note in keeper.notes("m", 10)] == ["rolled_back", "stopped"]


def test_without_its_index_control_rolls_back_and_reads_the_log_when_it_has_one(
    settings, registry, canary, writer, doors
):
    (settings.home / "index.sqlite").mkdir()
    keeper = Keeper(settings, doors.open)
    writer.append([predicted(number) for number in range(20)])

    keeper.turn()
    assert keeper.roll_back("m", actor="ann", reason="it smells").challengers == ()
    for read in (lambda: keeper.metrics("m"), lambda: keeper.notes("m", 1), lambda: keeper.reading().__enter__()):
        with pytest.raises(StoreUnavailable, match="index"):
            read()

    (settings.home / "index.sqlite").rmdir()
    keeper._open_index_at = 0.0
    keeper.turn()

    assert keeper.metrics("m").predictions == 20
    assert [note["said"] for note in keeper.notes("m", 10)] == ["it smells (by ann)"]
