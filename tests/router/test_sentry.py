"""The guards of several workers act as one, with no disk, no registry and no other process."""

import asyncio
import time
from pathlib import Path

import pytest
from router_making import Clock, Constant, loaded_of, plan_of

from registry.records.plan import Guards
from router.board import FILE, Board
from router.breaker import Breaker
from router.models import Snapshot
from router.report import Report, Stop
from router.sentry import Sentry
from router.tally import Tallies

GUARDS = Guards(breaker_open_s=2.0, breaker_rollback_s=10.0)
LOADED = {"champion": loaded_of("v1.0.0", Constant(0.1)), "challenger": loaded_of("v1.1.0", Constant(0.9))}


class Worker:
    """What a router worker holds, without its network."""

    def __init__(self, folder, clock, *, plan=None, board=True):
        self.clock, self.told = clock, []
        # Below a file there is no room for a board.
        self.board = Board.join(folder if board else Path(__file__) / "run", "worker", clock)
        self.tallies, self.snapshots = Tallies(), {}
        self.follow(plan or plan_of(guards=GUARDS))
        self.sentry = Sentry(self.board, self.tallies, self.snapshots, self.obey, clock=clock)

    def follow(self, plan):
        breaker = Breaker(plan.guards.breaker_failures, plan.guards.breaker_open_s, self.clock)
        self.snapshots["m"] = Snapshot(plan, LOADED, {"challenger": breaker})

    def obey(self, model, stop):
        before = self.snapshots[model]
        self.told.append(stop)
        self.snapshots[model] = Snapshot(before.plan, before.loaded, before.breakers, stop.reason)

    @property
    def breaker(self):
        return self.snapshots["m"].breakers["challenger"]

    @property
    def stopped(self):
        return self.snapshots["m"].stopped

    def tally(self, variant="challenger"):
        return self.tallies.of(self.snapshots["m"].plan, variant)

    def fail(self, times, variant="challenger"):
        for _ in range(times):
            self.tally(variant).fell_back("raised", 1, 1, 0.0)

    def succeed(self, times, variant="challenger", ms=1.0):
        for _ in range(times):
            self.tally(variant).answered(1, 1, ms)


@pytest.fixture
def clock():
    made = Clock()
    made.now = 1000.0
    return made


@pytest.fixture
def workers(tmp_path, clock):
    return [Worker(tmp_path, clock) for _ in range(3)]


def look(workers, times=2):
    for _ in range(times):
        for worker in workers:
            worker.sentry.look()


def test_failures_that_no_worker_could_judge_alone_are_enough_together(workers):
    for worker in workers:
        worker.fail(4)

    look(workers)

    said = "challenger v1.1.0: 12 of the last 12 requests failed, more than the 2.0% allowed"
    assert [worker.stopped for worker in workers] == [said] * 3


def test_a_good_challenger_stays(workers):
    for _ in range(50):
        for worker in workers:
            worker.succeed(99)
            worker.fail(1)
        look(workers, times=1)

    assert [worker.stopped for worker in workers] == [None] * 3


def test_a_challenger_that_begins_to_fail_after_a_long_time_is_stopped_within_ten_requests(workers):
    workers[0].tally().answered(100_000, 100_000, 1.0)
    look(workers)
    workers[1].fail(10)

    look(workers)

    assert all("10 of the last 10" in worker.stopped for worker in workers)


def test_a_stop_outlives_the_worker_that_made_it_and_every_other_one(tmp_path, clock, workers):
    workers[0].fail(20)
    workers[0].sentry.look()
    for worker in workers:
        worker.board.close()

    late = Worker(tmp_path, clock)
    late.sentry.look()

    assert "20 of the last 20" in late.stopped


def test_what_control_has_stopped_every_worker_stops(tmp_path, workers):
    Board.open(tmp_path, "control").publish(Report(stops={"m": Stop(2, "it smells")}))

    look(workers, times=1)

    assert [worker.stopped for worker in workers] == ["it smells"] * 3


def test_what_a_dead_worker_could_not_log_is_not_forgotten(tmp_path, clock):
    first = Board.open(tmp_path, "worker", clock)
    first.publish(Report(unlogged=7))
    first.close()

    heir = Worker(tmp_path, clock)
    heir.sentry.look()

    assert [seen.report.unlogged for seen in heir.board.read()] == [7]


def test_a_stop_holds_for_the_plans_up_to_its_epoch_only(workers):
    workers[0].fail(20)
    look(workers)
    for worker in workers:
        worker.follow(plan_of(epoch=3, phase="next", guards=GUARDS))

    look(workers)

    assert [worker.stopped for worker in workers] == [None] * 3


def test_a_plan_that_is_published_again_by_hand_is_given_another_chance_and_no_more(workers):
    workers[0].fail(20)
    look(workers)
    for number in (3, 4):
        for worker in workers:
            worker.follow(plan_of(epoch=number, phase="canary" if number == 4 else "back-3", guards=GUARDS))
        look(workers)
    assert [worker.stopped for worker in workers] == [None] * 3

    workers[1].fail(10)
    look(workers)

    assert all("10 of the last 10" in worker.stopped for worker in workers)


def test_a_board_that_is_lost_and_found_takes_nobody_off(tmp_path, clock, workers):
    workers[0].succeed(100_000)
    workers[0].fail(500)
    look(workers)
    (tmp_path / FILE).unlink()
    for _ in range(5):
        clock.now += 1.0
        look(workers)

    assert [worker.stopped for worker in workers] == [None] * 3
    assert sum(len(worker.sentry.seen()) for worker in workers) == 9


def test_what_one_worker_has_shown_every_other_one_shows_too(workers):
    workers[0].succeed(7)

    def shown(worker):
        return sum(tally.rows for seen in worker.sentry.seen() for tally in seen.report.tallies)

    assert [shown(worker) for worker in workers] == [7, 7, 7]


def test_what_a_dead_worker_counted_goes_on_counting_and_once_only(tmp_path, clock, workers):
    workers[0].fail(5)
    look(workers)
    workers[0].board.close()
    heir = Worker(tmp_path, clock)
    look([heir, *workers[1:]])
    assert heir.tally().suspect == 5
    assert heir.stopped is None

    heir.fail(5)
    look([heir, *workers[1:]])

    assert "10 of the last 10" in heir.stopped


def test_a_slow_challenger_is_stopped_and_the_reason_names_both_means(workers):
    for number in range(200):
        for worker in workers:
            worker.succeed(1, "champion", 10.0 + number % 3)
            worker.succeed(1, "challenger", 100.0 + number % 7)
    look(workers)

    assert "mean latency 103.0 ms against 11.0 ms, more than 50% above" in workers[2].stopped


def test_a_failing_champion_is_an_alert_and_never_takes_the_challenger_off(workers):
    for _ in range(20):
        workers[0].tally("champion").failed("champion_raised", 1, 1, 0.0)
    workers[0].succeed(100)

    look(workers)

    assert [worker.stopped for worker in workers] == [None] * 3
    assert all("the champion fails: 20 of the last 20" in w.sentry.alerts["m"].reason for w in workers)


def test_a_breaker_that_opens_in_one_worker_is_open_in_all_and_closes_in_all(workers, clock):
    for _ in range(5):
        workers[0].breaker.failed()
    look(workers)
    assert [worker.breaker.allows() for worker in workers] == [False] * 3

    clock.now += 2.0
    look(workers)
    passed = [worker.breaker.allows() for worker in workers]
    assert sum(passed) == 1

    workers[passed.index(True)].breaker.succeeded()
    look(workers)

    assert [worker.breaker.state for worker in workers] == ["closed"] * 3
    assert [worker.breaker.allows() for worker in workers] == [True] * 3


def test_a_failed_probe_of_one_worker_makes_all_wait_again(workers, clock):
    for _ in range(5):
        workers[0].breaker.failed()
    look(workers)
    clock.now += 2.0
    look(workers)
    prober = next(worker for worker in workers if worker.breaker.allows())
    prober.breaker.failed()
    look(workers)
    clock.now += 1.9
    look(workers)

    assert [worker.breaker.allows() for worker in workers] == [False] * 3
    assert all(worker.breaker.open_for == pytest.approx(3.9) for worker in workers)


def test_every_worker_gets_its_turn_to_probe(workers, clock):
    for _ in range(5):
        workers[0].breaker.failed()
    look(workers)
    turns = set()
    for _ in range(6):
        clock.now += 2.0
        look(workers, times=1)
        turns |= {number for number, worker in enumerate(workers) if worker.breaker.probes}

    assert turns == {0, 1, 2}


def test_a_circuit_that_stays_open_too_long_is_a_rollback(workers, clock):
    for _ in range(5):
        workers[0].breaker.failed()
    look(workers)
    clock.now += 9.9
    look(workers)
    assert [worker.stopped for worker in workers] == [None] * 3

    clock.now += 0.2
    look(workers)

    assert [w.stopped for w in workers] == ["challenger v1.1.0: its circuit breaker has been open for 10.1 s"] * 3


def test_the_breakers_of_another_phase_are_not_believed(tmp_path, clock):
    old, new = Worker(tmp_path, clock), Worker(tmp_path, clock, plan=plan_of(epoch=3, phase="next"))
    for _ in range(5):
        old.breaker.failed()

    look([old, new])

    assert new.breaker.state == "closed"


def test_without_a_board_a_worker_guards_by_itself(tmp_path, clock):
    alone = Worker(tmp_path, clock, board=False)
    alone.fail(10)

    alone.sentry.look()

    assert "10 of the last 10" in alone.stopped
    assert len(alone.sentry.seen()) == 1
    assert "its own counts only" in alone.sentry.troubles["board"]


def test_a_worker_with_more_to_tell_than_fits_says_so_and_still_tells_of_the_present(tmp_path, clock):
    busy, other = Worker(tmp_path, clock), Worker(tmp_path, clock)
    for number in range(64):
        plan = plan_of(phase=f"{number:04d}-" + "x" * 2000, guards=GUARDS)
        busy.tallies.of(plan, "challenger").answered(1, 1, 1.0)
    busy.fail(10)

    look([busy, other])

    assert "more to tell" in busy.sentry.troubles["board"]
    assert other.sentry.troubles == {}
    assert "10 of the last 10" in other.stopped


def test_a_look_takes_less_than_a_thousandth_second_of_four_workers(tmp_path):
    workers = [Worker(tmp_path, time.monotonic) for _ in range(4)]
    look(workers)

    began = time.process_time()
    for _ in range(25):
        for worker in workers:
            worker.succeed(1)
            worker.sentry.look()

    # Usually 0.3 ms; the bound is wide because the machine may be busy.
    assert (time.process_time() - began) / 100 < 0.003


def test_nothing_that_goes_wrong_ends_the_watch(workers):
    worker, looks = workers[0], []

    def look_badly():
        looks.append(1)
        raise ValueError("something unexpected")

    async def watch():
        worker.sentry.look = look_badly
        task = asyncio.create_task(worker.sentry.watch())
        while len(looks) < 2:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(watch())

    assert len(looks) >= 2
