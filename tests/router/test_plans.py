"""The last good plan is served whatever happens to the registry, and to one model's records."""

import msgspec
import pytest
from router_making import Clock, Constant, Source, plan_of

from registry.errors import InvalidRecord
from registry.records.plan import Guards
from router import plans
from router.lastgood import Override, recall, stop_challengers
from router.models import ModelCache
from router.plans import RETRY_S, PlanWatcher
from router.report import Stop


class Loader:
    """Loads everything but what is broken, and counts."""

    def __init__(self):
        self.broken = set()
        self.calls = []

    def __call__(self, version):
        self.calls.append(version.version)
        if version.version in self.broken:
            raise OSError("the artifact is gone")
        return Constant(0.5)


class Watched:
    def __init__(self, folder, *plans):
        self.folder, self.source, self.load, self.clock = folder, Source(*plans), Loader(), Clock()
        self.watcher = self.start()

    def start(self):
        """A worker as it starts."""
        watcher = PlanWatcher(self.source, ModelCache(self.load), self.folder, clock=self.clock)
        watcher.start_from_last_good()
        watcher.refresh()
        return watcher

    def epochs(self):
        self.watcher.refresh()
        return {model: snapshot.plan.epoch for model, snapshot in self.watcher.snapshots.items()}


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path / "plans", plan_of(epoch=1))


def test_a_new_plan_is_followed(watched):
    watched.source.publish(plan_of(epoch=2))

    assert watched.epochs() == {"m": 2}
    assert watched.watcher.troubles == {}


def test_an_older_plan_changes_nothing(watched):
    watched.source.publish(plan_of(epoch=5))
    assert watched.epochs() == {"m": 5}
    watched.source.publish(plan_of(epoch=4))

    assert watched.epochs() == {"m": 5}


def test_without_its_registry_the_plan_is_served_for_ever_and_the_trouble_is_told(watched):
    watched.source.gone = True

    assert watched.epochs() == {"m": 1}
    assert "gone" in watched.watcher.troubles["registry"]
    watched.source.gone = False
    watched.source.publish(plan_of(epoch=2))
    assert watched.epochs() == {"m": 2}
    assert watched.watcher.troubles == {}


def test_a_worker_that_starts_without_a_registry_serves_what_was_good_last(watched):
    watched.source.gone = True

    watched.watcher = watched.start()

    assert watched.epochs() == {"m": 1}
    assert set(watched.watcher.troubles) == {"registry"}


@pytest.mark.parametrize("torn", [b"", b"garbage", b"0" * 64 + b"\n{}"])
def test_a_worker_that_starts_with_a_torn_file_asks_the_registry(watched, torn):
    (watched.folder / "m.plan").write_bytes(torn)

    watched.watcher = watched.start()

    assert watched.epochs() == {"m": 1}
    assert [kept.plan.epoch for kept in recall(watched.folder)] == [1]


def test_a_plan_whose_artifact_is_broken_is_refused_whole_and_the_last_good_one_kept(watched):
    watched.load.broken = {"v2.0.0"}
    arms = (plan_of().arms[0], msgspec.structs.replace(plan_of().arms[1], version="v2.0.0"))
    watched.source.publish(plan_of(epoch=2, arms=arms))

    assert watched.epochs() == {"m": 1}
    assert "plan of epoch 2 was refused: the artifact is gone" in watched.watcher.troubles["m"]
    assert [kept.plan.epoch for kept in recall(watched.folder)] == [1]


def test_a_refused_plan_is_tried_again_now_and_then_but_not_all_the_time(watched):
    watched.load.broken = {"v2.0.0"}
    arms = (plan_of().arms[0], msgspec.structs.replace(plan_of().arms[1], version="v2.0.0"))
    watched.source.publish(plan_of(epoch=2, arms=arms))
    for _ in range(50):
        watched.epochs()
    assert watched.load.calls.count("v2.0.0") <= 2

    watched.load.broken = set()
    watched.clock.now += RETRY_S

    assert watched.epochs() == {"m": 2}
    assert watched.watcher.troubles == {}


def test_a_plan_of_a_version_that_the_registry_does_not_hold_is_refused_by_its_name(watched):
    watched.source.missing = {"v1.1.0"}
    watched.source.publish(plan_of(epoch=2))

    assert watched.epochs() == {"m": 1}
    assert "v1.1.0" in watched.watcher.troubles["m"]


def test_one_models_broken_record_leaves_no_other_model_behind(watched):
    watched.source.spoil("a", InvalidRecord("A stored TrafficPlan cannot be read.", "weights.", "Restore it."))
    watched.source.publish(plan_of(epoch=2))
    watched.source.publish(plan_of(model="z", epoch=7))

    assert watched.epochs() == {"m": 2, "z": 7}
    assert set(watched.watcher.troubles) == {"a"}


def test_a_mended_record_ends_the_trouble(watched):
    watched.source.spoil("m", InvalidRecord("A stored TrafficPlan cannot be read.", "weights.", "Restore it."))
    assert watched.epochs() == {"m": 1}
    assert set(watched.watcher.troubles) == {"m"}

    watched.source.publish(plan_of(epoch=1))

    assert watched.epochs() == {"m": 1}
    assert watched.watcher.troubles == {}


def test_an_override_stops_challengers_up_to_its_epoch_with_or_without_a_registry(watched):
    watched.source.gone = True
    stop_challengers(watched.folder, "m", Override(epoch=1, reason="it fails"))
    watched.epochs()
    assert watched.watcher.snapshots["m"].stopped == "it fails"

    watched.source.gone = False
    watched.source.publish(plan_of(epoch=2))
    watched.epochs()

    assert watched.watcher.snapshots["m"].stopped is None


def test_a_torn_override_stops_nobody(watched):
    (watched.folder / "m.override").write_bytes(b'{"epoch": 9, "rea')

    assert watched.epochs() == {"m": 1}
    assert watched.watcher.snapshots["m"].stopped is None


def test_the_circuit_of_a_challenger_outlives_a_plan_of_the_same_phase_and_no_other(watched):
    for _ in range(5):
        watched.watcher.snapshots["m"].breakers["challenger"].failed()

    watched.source.publish(plan_of(epoch=2, paused=True))
    watched.epochs()
    assert watched.watcher.snapshots["m"].breakers["challenger"].state == "open"

    watched.source.publish(plan_of(epoch=3, phase="next"))
    watched.epochs()
    assert watched.watcher.snapshots["m"].breakers["challenger"].state == "closed"


def test_a_disk_that_keeps_no_plan_stops_nobody_from_following_it(tmp_path):
    (tmp_path / "plans").write_text("a file where the folder should be")

    watched = Watched(tmp_path / "plans", plan_of(epoch=1))

    assert watched.epochs() == {"m": 1}


def test_a_later_step_of_a_stopped_rollout_is_never_on_while_it_comes_into_force(watched, monkeypatch):
    watched.source.publish(plan_of(epoch=2, rollout_id="r-0001"))
    watched.epochs()
    watched.watcher.stop("m", Stop(2, "it fails", "r-0001"))
    seen = []
    monkeypatch.setattr(plans, "keep", lambda *_: seen.append(watched.watcher.snapshots["m"]))
    watched.source.publish(plan_of(epoch=3, phase="next", rollout_id="r-0001"))
    watched.epochs()

    assert [(snapshot.plan.epoch, snapshot.stopped) for snapshot in seen] == [(3, "it fails")]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"paused": True}, True),
        ({"phase": "next"}, False),
        ({"guards": Guards(breaker_failures=50)}, False),
        ({"arms": (plan_of().arms[0], msgspec.structs.replace(plan_of().arms[1], version="v2.0.0"))}, False),
    ],
)
def test_a_circuit_stays_open_for_the_same_version_in_the_same_phase_only(watched, changes, same):
    before = watched.watcher.snapshots["m"].breakers["challenger"]
    for _ in range(5):
        before.failed()

    watched.source.publish(plan_of(epoch=2, **changes))
    watched.epochs()

    assert (watched.watcher.snapshots["m"].breakers["challenger"].state == "open") is same
