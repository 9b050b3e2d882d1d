"""Copies are scored from the log: each once, whatever the shadow, the disk or the registry do."""

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from router_making import version_of

from registry.errors import StoreUnavailable
from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.shadow.limits import Limits
from router.shadow.shadows import Shadows
from router.shadow.sitter import Sitter

QUICK = {"deadline_s": 0.4, "row_ms": 0.0, "memory_mb": 400.0}


def copy(number, do=None, **changes):
    features = {"x": 0.9} if do is None else {"x": 0.9, "do": do}
    values = {"model": "m", "key": "k", "time": 0.0, "features": features, "assigned": "champion"}
    values |= {"served": "champion", "assigned_version": "v1.0.0", "version": "v1.0.0", "epoch": 1, "phase": "p"}
    values |= {"enrolled": True, "reason": "bucket", "score": 0.1, "prediction": 0, "latency_ms": 0.1}
    return Predicted(id=f"p{number}", **(values | {"shadows": ("v1.1.0",)} | changes))


class Set:
    """Real processes that score; the registry is a function."""

    def __init__(self, folder, **limits):
        self.folder = folder
        self.limits = Limits(**(QUICK | limits))
        self.writer = SegmentWriter(folder / "events", "worker")
        self.version_of = lambda model, version: version_of(version, model)
        self.loaders = {}
        self.started = []
        self.shadows = self.start()

    def start(self):
        found = Shadows(
            self.folder / "events",
            self.folder / "run" / "shadow.json",
            lambda *key: self.version_of(*key),
            lambda version: Sitter(
                version, self.folder, self.limits, f"shadow_scorers:{self.loaders.get(version.version, 'obedient')}"
            ),
            self.limits,
        )
        self.started.append(found)
        return found

    def catch_up(self):
        seen = self.shadows.look()
        assert self.shadows.wait(60)
        return seen

    def said(self):
        reader = SegmentReader(self.folder / "events", ("shadow",))
        return [event for path in reader.segments() for event in reader.read(path, 0)[0]]

    def reasons(self):
        return Counter((event.version, event.error or event.dropped) for event in self.said())


@pytest.fixture
def all_of(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = []

    def make(**limits):
        made.append(Set(tmp_path, **limits))
        return made[-1]

    yield make
    for each in made:
        for shadows in each.started:
            shadows.close()


def test_every_copy_is_scored_once_even_over_a_restart(all_of):
    ours = all_of()
    ours.writer.append([copy(0), copy(1), copy(2, shadows=())])
    assert ours.catch_up() == 2

    ours.shadows.close()
    ours.shadows = ours.start()
    ours.writer.append([copy(3)])

    assert ours.catch_up() == 1
    assert [(event.id, event.version, event.score, event.prediction) for event in ours.said()] == [
        (id_, "v1.1.0", 0.9, 1) for id_ in ("p0", "p1", "p3")
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"x": 0.9, "do": "raise"}, "raised"),
        ({"x": "nan"}, "not_finite"),
        ({"x": 1.5}, "out_of_range"),
        ({"y": 0}, "raised"),
    ],
)
def test_one_row_that_cannot_be_scored_spoils_no_other(all_of, row, reason):
    ours = all_of()
    ours.writer.append([copy(number, **({"features": row} if number == 3 else {})) for number in range(10)])
    ours.catch_up()

    assert [(event.id, event.error) for event in ours.said()] == [
        (f"p{number}", reason if number == 3 else None) for number in range(10)
    ]


@pytest.mark.parametrize(
    ("do", "reason"),
    [("hang", "deadline"), ("exit", "crashed"), ("segfault", "crashed"), ("eat", "memory")],
)
def test_a_shadow_that_hangs_dies_or_eats_is_given_up_and_the_others_go_on(all_of, do, reason):
    ours = all_of(deadline_s=8.0 if do == "eat" else 0.4)
    both = ("v1.1.0", "v1.2.0")
    ours.loaders["v1.2.0"] = "obedient"
    ours.writer.append([copy(number, shadows=("v1.2.0",)) for number in range(5)])
    ours.writer.append([copy(5, do), *(copy(number, shadows=both) for number in range(6, 10))])
    ours.catch_up()
    ours.writer.append([copy(10)])
    ours.catch_up()

    assert ours.reasons() == {("v1.1.0", reason): 5, ("v1.2.0", None): 9, ("v1.1.0", None): 1}


def test_a_slow_shadow_does_not_hold_up_another(all_of):
    ours = all_of(deadline_s=20.0)
    ours.writer.append([copy(number, "slow") for number in range(50)])
    ours.writer.append([copy(50, shadows=("v1.2.0",))])
    ours.shadows.look()
    ours.shadows.followers["m", "v1.2.0"].wait(20)

    assert [event.version for event in ours.said()] == ["v1.2.0"]
    assert ours.shadows.wait(20)
    assert ours.reasons() == {("v1.1.0", None): 50, ("v1.2.0", None): 1}


@pytest.mark.parametrize(("do", "reason"), [("exit", "crashed"), ("away", "unreachable")])
def test_a_shadow_that_is_lost_again_and_again_rests_and_its_copies_are_dropped(all_of, do, reason):
    ours = all_of()
    for number in range(30):
        ours.writer.append([copy(number, do)])
        ours.shadows.look()
    assert ours.shadows.wait(60)

    reasons = ours.reasons()
    assert sum(reasons.values()) == 30
    assert reasons["v1.1.0", reason] >= 2
    assert reasons["v1.1.0", "down"] >= 1


@pytest.mark.parametrize("loader", ["broken", "stuck", "not_there"])
def test_a_version_that_cannot_be_loaded_is_told(all_of, loader):
    ours = all_of(load_s=0.8 if loader == "stuck" else 20.0)
    ours.loaders["v1.1.0"] = loader
    ours.writer.append([copy(0), copy(1)])
    ours.catch_up()

    assert [event.error for event in ours.said()] == ["deadline" if loader == "stuck" else "not_loaded"] * 2


def test_a_version_that_the_registry_does_not_hold_is_told(all_of):
    ours = all_of()
    ours.version_of = lambda model, version: None
    ours.writer.append([copy(0)])
    ours.catch_up()

    assert [event.error for event in ours.said()] == ["not_found"]


def test_copies_wait_while_the_registry_is_away_and_a_known_version_needs_none(all_of):
    def away(model, version):
        raise StoreUnavailable("No.", "It is gone.", "Start it.")

    ours = all_of()
    known, ours.version_of = ours.version_of, away
    ours.writer.append([copy(0)])
    ours.shadows.look()
    assert not ours.shadows.wait(0.2)
    assert ours.said() == []

    ours.version_of = known
    assert ours.shadows.wait(20)
    ours.version_of = away
    ours.writer.append([copy(1)])
    ours.catch_up()

    assert [(event.id, event.error) for event in ours.said()] == [("p0", None), ("p1", None)]


def test_what_a_full_disk_refuses_is_scored_again_when_there_is_room(all_of, monkeypatch):
    ours = all_of()
    ours.writer.append([copy(0)])
    with monkeypatch.context() as full:
        full.setattr(SegmentWriter, "append", lambda _self, _events: False)
        ours.shadows.look()
        assert not ours.shadows.wait(1.5)

    assert ours.shadows.wait(20)
    assert [event.id for event in ours.said()] == ["p0"]


def test_the_oldest_copies_of_a_shadow_that_is_far_behind_are_dropped_with_their_reason(all_of):
    ours = all_of(lag_mb=0.03, deadline_s=30.0)
    ours.writer.append([copy("first", "slow")] * 50)
    ours.shadows.look()
    time.sleep(0.2)  # the thread has taken it
    for block in range(10):
        ours.writer.append([copy(f"{block}.{number}", features={"x": 0.9, "y": "z" * 100}) for number in range(20)])
        ours.shadows.look()
    assert ours.shadows.wait(30)

    dropped = [event for event in ours.said() if event.dropped]
    assert {event.dropped for event in dropped} == {"lag"}
    assert all(event.score is None for event in dropped)
    assert len(ours.said()) == 250
    assert [event.id for event in ours.said() if event.score and event.id != "pfirst"][-1] == "p9.19"
    assert "p0.0" in {event.id for event in dropped}


def test_dropped_copies_wait_for_a_full_disk_and_none_is_lost(all_of, monkeypatch):
    ours = all_of(lag_mb=0.001, deadline_s=30.0)
    for block in range(5):
        ours.writer.append([copy(f"{block}.{number}") for number in range(10)])
        with monkeypatch.context() as full, pytest.raises(OSError, match="event log takes no more"):
            full.setattr(SegmentWriter, "append", lambda _self, _events: False)
            ours.shadows.look()
    ours.shadows.look()
    assert ours.shadows.wait(30)

    assert len({event.id for event in ours.said()}) == 50


def test_the_position_never_passes_a_copy_without_a_line(all_of):
    ours = all_of(deadline_s=30.0)
    ours.writer.append([copy(0, shadows=("v1.2.0",))])
    ours.catch_up()
    position = ours.folder / "run" / "shadow.json"
    [before] = json.loads(position.read_bytes()).values()
    ours.writer.append([copy(number, "slow") for number in range(1, 40)])
    ours.writer.append([copy(40, shadows=("v1.2.0",))])
    ours.shadows.look()
    ours.shadows.followers["m", "v1.2.0"].wait(20)
    ours.shadows.remember(at_once=True)

    assert list(json.loads(position.read_bytes()).values()) == [before]
    assert ours.shadows.wait(30)
    assert list(json.loads(position.read_bytes()).values()) > [before]


def test_segments_that_were_removed_are_forgotten_at_the_next_start(all_of):
    ours = all_of()
    ours.writer.append([copy(0)])
    ours.catch_up()
    ours.shadows.close()
    for path in (ours.folder / "events").glob("worker-*"):
        path.unlink()

    ours.writer = SegmentWriter(ours.folder / "events", "worker")
    ours.writer.append([copy(1)])
    ours.shadows = ours.start()
    ours.catch_up()

    assert len(json.loads((ours.folder / "run" / "shadow.json").read_bytes())) == 1
    assert [event.id for event in ours.said()] == ["p0", "p1"]


def test_the_processes_of_a_shadow_end_with_it_and_when_there_is_nothing_to_do(all_of):
    ours = all_of(idle_s=0.2)
    ours.writer.append([copy(0)])
    ours.catch_up()
    deadline = time.monotonic() + 10
    while ours.shadows.followers["m", "v1.1.0"].pid and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ours.shadows.followers["m", "v1.1.0"].pid is None

    ours.writer.append([copy(1)])
    ours.catch_up()
    ours.shadows.close()

    assert ours.reasons() == {("v1.1.0", None): 2}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shadow")]


def test_the_champion_may_watch_itself_and_another_beside_it(all_of):
    ours = all_of()
    ours.writer.append([copy(number, shadows=("v1.0.0", "v1.1.0")) for number in range(3)])
    ours.catch_up()

    assert ours.reasons() == {("v1.0.0", None): 3, ("v1.1.0", None): 3}
