"""Copies are scored from the log: each once, whatever the shadow, the disk or the registry do."""

import pytest
from router_making import Constant, Raises, Scoring, version_of

from registry.errors import StoreUnavailable
from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.models import ModelCache
from router.shadow import Shadows


def copy(number, **changes):
    values = {"model": "m", "key": "k", "time": 0.0, "features": {"x": float(number)}, "assigned": "champion"}
    values |= {"served": "champion", "assigned_version": "v1.0.0", "version": "v1.0.0", "epoch": 1, "phase": "p"}
    values |= {"enrolled": True, "reason": "bucket", "score": 0.1, "prediction": 0, "latency_ms": 0.1}
    return Predicted(id=f"p{number}", **(values | {"shadows": ("v1.1.0",)} | changes))


class Set:
    def __init__(self, folder, scorer=None):
        self.folder, self.scorer = folder, scorer or Constant(0.9)
        self.writer = SegmentWriter(folder / "events", "worker")
        self.version_of = lambda model, version: version_of(version, model)
        self.shadows = self.start()

    def start(self):
        cache = ModelCache(lambda _version: self.scorer)
        return Shadows(
            self.folder / "events", self.folder / "run" / "shadow.json", cache, lambda *a: self.version_of(*a)
        )

    def said(self):
        reader = SegmentReader(self.folder / "events", ("shadow",))
        return [event for path in reader.segments() for event in reader.read(path, 0)[0]]


@pytest.fixture
def all_of(tmp_path):
    return Set(tmp_path)


def test_every_copy_is_scored_once_even_over_a_restart(all_of):
    all_of.writer.append([copy(0), copy(1), copy(2, shadows=())])
    assert all_of.shadows.catch_up() == 2

    again = all_of.start()
    all_of.writer.append([copy(3)])

    assert again.catch_up() == 1
    assert [(event.id, event.version, event.score) for event in all_of.said()] == [
        (id_, "v1.1.0", 0.9) for id_ in ("p0", "p1", "p3")
    ]


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [(Raises(0.9), "raised"), (Constant(float("nan")), "not_finite"), (Constant(1.5), "out_of_range")],
)
def test_a_broken_shadow_is_a_line_with_its_reason(tmp_path, scorer, reason):
    broken = Set(tmp_path, scorer)
    broken.writer.append([copy(number) for number in range(5)])

    assert broken.shadows.catch_up() == 5
    assert [event.error for event in broken.said()] == [reason] * 5


def test_one_row_that_cannot_be_scored_spoils_no_other(tmp_path):
    def score(rows):
        if any(row["x"] == 3 for row in rows):
            raise RuntimeError("three")
        return [0.9] * len(rows)

    picky = Set(tmp_path, Scoring(score))
    picky.writer.append([copy(number) for number in range(10)])
    picky.shadows.catch_up()

    assert [(event.id, event.error) for event in picky.said()] == [
        (f"p{number}", "raised" if number == 3 else None) for number in range(10)
    ]


def test_a_version_that_the_registry_does_not_hold_is_told(all_of):
    all_of.version_of = lambda model, version: None
    all_of.writer.append([copy(0)])
    all_of.shadows.catch_up()

    assert [event.error for event in all_of.said()] == ["not_found"]


def test_copies_wait_while_the_registry_is_away_and_a_known_version_needs_none(all_of):
    def away(model, version):
        raise StoreUnavailable("No.", "It is gone.", "Start it.")

    known, all_of.version_of = all_of.version_of, away
    all_of.writer.append([copy(0)])
    with pytest.raises(StoreUnavailable):
        all_of.shadows.catch_up()
    assert all_of.said() == []

    all_of.version_of = known
    assert all_of.shadows.catch_up() == 1
    all_of.version_of = away
    all_of.writer.append([copy(1)])

    assert all_of.shadows.catch_up() == 1
    assert [(event.id, event.error) for event in all_of.said()] == [("p0", None), ("p1", None)]


def test_what_a_full_disk_refuses_is_scored_again_when_there_is_room(all_of, monkeypatch):
    all_of.writer.append([copy(0)])
    with monkeypatch.context() as full:
        full.setattr(SegmentWriter, "append", lambda _self, _events: False)
        with pytest.raises(OSError, match="event log"):
            all_of.shadows.catch_up()

    assert all_of.shadows.catch_up() == 1
    assert [event.id for event in all_of.said()] == ["p0"]


def test_copies_far_behind_are_dropped_with_their_reason(all_of, monkeypatch):
    monkeypatch.setattr("router.shadow.MAX_LAG_BYTES", -1)
    all_of.writer.append([copy(0)])
    all_of.shadows.catch_up()

    assert [(event.dropped, event.score) for event in all_of.said()] == [("lag", None)]
