"""A new champion that is watched gives way to the one before, in every worker at once."""

from datetime import timedelta

import msgspec
import pytest
from router_making import AT, Clock, Constant, Source, plan_of

from registry.records.live import Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.plan import Arm, Guards
from registry.records.watch import Baseline, PlanWatch, WatchLimits
from router.board import Board
from router.guards import falls_behind
from router.lastgood import Override, override_by, override_of, stop_challengers
from router.models import ModelCache
from router.plans import PlanWatcher
from router.report import Stop
from router.sentry import Sentry
from router.tally import Tallies
from router.watch import BaselineWatch, Evidence

WATCH = PlanWatch(
    id="w-0001",
    former="v1.0.0",
    until=AT + timedelta(days=2),
    baseline=Baseline(requests=5000, latency_ms=5.0, latency_m2=5000.0),
)
NEW = (Arm(variant="champion", version="v1.1.0"),)


def watched(epoch=2, **changes):
    values = {"phase": "r-0001.promoted", "watch": WATCH, "shadows": ("v1.0.0",), "rollout_id": "r-0001"}
    return plan_of(0, epoch=epoch, arms=NEW, **(values | changes))


class Worker:
    """A real watcher of plans and a real sentry, without network."""

    def __init__(self, folder, source, clock):
        cache = ModelCache(lambda version: Constant(0.1))
        self.watcher = PlanWatcher(source, cache, folder / "plans", clock=clock)
        self.watcher.refresh()
        self.board, self.tallies = Board.join(folder, "worker", clock), Tallies()
        self.sentry = Sentry(self.board, self.tallies, self.watcher.snapshots, self.watcher.stop, clock=clock)

    @property
    def snapshot(self):
        return self.watcher.snapshots["m"]

    @property
    def answering(self):
        return self.snapshot.champion.version.version

    def answer(self, times, ms=1.0):
        tally = self.tallies.of(self.snapshot.plan, "champion")
        for _ in range(times):
            tally.answered(1, 1, ms)

    def fail(self, times):
        tally = self.tallies.of(self.snapshot.plan, "champion")
        for _ in range(times):
            tally.failed("champion_raised", 1, 1, 0.0)


@pytest.fixture
def source():
    return Source(watched())


@pytest.fixture
def workers(tmp_path, source):
    clock = Clock()
    clock.now = 1000.0
    return [Worker(tmp_path, source, clock) for _ in range(3)]


def look(workers, times=2):
    for _ in range(times):
        for worker in workers:
            worker.sentry.look()


def test_failures_of_all_workers_together_bring_the_former_champion_back_in_all(workers):
    for worker in workers:
        worker.fail(4)

    look(workers)

    assert [worker.answering for worker in workers] == ["v1.0.0"] * 3
    said = "champion v1.1.0, which is being watched: 12 of the last 12 requests failed, more than the 2.0% allowed"
    assert {worker.snapshot.stopped for worker in workers} == {said}
    assert {worker.snapshot.plan.epoch for worker in workers} == {2}


def test_a_mean_latency_of_half_as_much_again_and_ten_milliseconds_brings_it_back(workers):
    for _ in range(20):
        for worker in workers:
            worker.answer(50, ms=25.0)
        look(workers, times=1)
    look(workers)

    assert [worker.answering for worker in workers] == ["v1.0.0"] * 3
    assert "mean latency 25.0 ms against 5.0 ms of the champion before" in workers[0].snapshot.stopped


def test_a_healthy_champion_stays(workers):
    for _ in range(50):
        for worker in workers:
            worker.answer(99, ms=7.0)
            worker.fail(1)
        look(workers, times=1)

    assert [worker.answering for worker in workers] == ["v1.1.0"] * 3
    assert [worker.sentry.alerts for worker in workers] == [{}] * 3


def test_slowness_that_begins_after_a_long_time_does_not_drown_in_it():
    before = Moments(n=5000, mean=5.0, m2=5000.0)
    watch = BaselineWatch(before, 0.5, 0.001, 250.0)
    asked, sums, squares, alarmed = 0, 0.0, 0.0, None
    for moment in range(200):
        ms = 5.0 if moment < 100 else 40.0
        asked, sums, squares = asked + 1000, sums + 1000 * ms, squares + 1000 * (ms * ms + 1)
        if alarmed is None and watch.alarmed(Evidence(asked, 0, asked, sums, squares)):
            alarmed = moment

    assert alarmed is not None
    assert 100 <= alarmed <= 102


def test_without_a_baseline_latency_is_not_judged(tmp_path):
    alone = Worker(tmp_path, Source(watched(watch=msgspec.structs.replace(WATCH, baseline=Baseline()))), Clock())
    alone.answer(5000, ms=200.0)

    look([alone])

    assert alone.answering == "v1.1.0"


def test_a_worker_that_starts_later_begins_with_the_former_champion(tmp_path, source, workers):
    workers[0].fail(20)
    look(workers)
    late = Worker(tmp_path, source, Clock())
    look([late])

    assert late.answering == "v1.0.0"


def test_a_stop_on_disk_is_enough_where_the_registry_is_gone(tmp_path, source, workers):
    source.gone = True
    override = Override(epoch=2, reason="told", actor="ann", restore="v1.0.0")
    stop_challengers(tmp_path / "plans", "m", override)

    workers[0].watcher.refresh()
    again = PlanWatcher(source, ModelCache(lambda version: Constant(0.1)), tmp_path / "plans")
    again.start_from_last_good()

    assert workers[0].answering == "v1.0.0"
    assert again.snapshots["m"].champion.version.version == "v1.0.0"


def test_the_plan_of_the_registry_takes_over_and_a_later_promotion_is_not_held_back(source, workers):
    workers[0].fail(20)
    look(workers)
    for worker in workers:
        source.publish(plan_of(0, epoch=3, phase="rollback.3"))
        worker.watcher.refresh()
    assert {(worker.snapshot.plan.epoch, worker.snapshot.stopped) for worker in workers} == {(3, None)}

    for worker in workers:
        source.publish(watched(epoch=4, phase="r-0002.promoted"))
        worker.watcher.refresh()
    look(workers)

    assert [worker.answering for worker in workers] == ["v1.1.0"] * 3


def test_a_former_champion_that_cannot_be_loaded_does_not_keep_the_plan_away(tmp_path):
    def load(version):
        if version.version == "v1.0.0":
            raise OSError("its files are gone")
        return Constant(0.1)

    watcher = PlanWatcher(Source(watched()), ModelCache(load), tmp_path / "plans")
    watcher.refresh()
    watcher.stop("m", Stop(2, "it fails", None, "v1.0.0"))

    assert watcher.snapshots["m"].champion.version.version == "v1.1.0"
    assert watcher.troubles == {}


def test_a_challenger_beside_a_watched_champion_is_stopped_alone(tmp_path):
    plan = plan_of(
        500_000, arms=(*NEW, Arm(variant="challenger", version="v1.2.0")), watch=WATCH, guards=Guards(), phase="r-2.1"
    )
    worker = Worker(tmp_path, Source(plan), Clock())
    tally = worker.tallies.of(plan, "challenger")
    for _ in range(20):
        tally.fell_back("raised", 1, 1, 0.0)
    look([worker])
    assert (worker.answering, "challenger v1.2.0" in worker.snapshot.stopped) == ("v1.1.0", True)

    worker.fail(20)
    look([worker])

    assert worker.answering == "v1.0.0"


def test_an_override_says_on_disk_what_a_stop_says_on_the_board(tmp_path):
    stop = Stop(7, "why", "r-0001", "v1.0.0")
    stop_challengers(tmp_path, "m", override_by(stop))

    assert override_of(tmp_path, "m").stop == stop
    assert b"restore" not in Override(epoch=1, reason="old").to_json()


def pairs(mean, n=500, sd=0.1, **changes):
    seen = ShadowMetrics(
        version="v1.0.0", pairs=n, loss_difference=Moments(n=n, mean=mean, m2=sd**2 * (n - 1)), **changes
    )
    ours = VariantMetrics(version="v1.1.0", loss=Moments(n=n, mean=0.2, m2=0.01 * n))
    return PhaseMetrics(phase="p", first_epoch=2, last_epoch=2, variants={"champion": ours}, shadows={"v1.0.0": seen})


@pytest.mark.parametrize(
    ("phase", "limits", "broken"),
    [
        (pairs(0.05), WatchLimits(), True),
        (pairs(0.005), WatchLimits(), False),
        (pairs(-0.05), WatchLimits(), False),
        (pairs(0.05, n=99), WatchLimits(), False),
        (pairs(0.05), WatchLimits(accuracy_drop=1.0), False),
        (pairs(0.15), WatchLimits(accuracy_drop=0.5), True),
    ],
)
def test_a_loss_above_that_of_the_former_champion_on_the_same_requests_breaks_the_limit(phase, limits, broken):
    said = falls_behind(phase, msgspec.structs.replace(WATCH, limits=limits))

    assert (said is not None) == broken


def test_who_is_not_compared_is_not_judged():
    phase = msgspec.structs.replace(pairs(0.5), shadows={})

    assert falls_behind(phase, WATCH) is None
