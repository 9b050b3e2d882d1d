"""The last good plan outlives the registry, and a torn file is no plan."""

import hashlib
from datetime import UTC, datetime

import pytest

from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from router.lastgood import Kept, Override, keep, override_of, recall, stop_challengers

PLAN = TrafficPlan(
    model="m",
    epoch=1,
    phase="first",
    salt="s",
    slices=(Slice(variant="champion", weight=1_000_000),),
    arms=(Arm(variant="champion", version="v1.0.0"),),
    guards=Guards(),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    actor="test",
    reason="test",
)
KEPT = Kept(plan=PLAN, versions={})


def test_what_was_kept_is_recalled(tmp_path):
    keep(tmp_path, KEPT)

    assert recall(tmp_path) == [KEPT]


@pytest.mark.parametrize("cut", [0, 1, 40, 64, 65, 70, -1])
def test_a_torn_file_is_no_plan(tmp_path, cut):
    keep(tmp_path, KEPT)
    path = tmp_path / "m.plan"
    path.write_bytes(path.read_bytes()[:cut])

    assert recall(tmp_path) == []


def test_a_changed_byte_is_no_plan(tmp_path):
    keep(tmp_path, KEPT)
    path = tmp_path / "m.plan"
    path.write_bytes(path.read_bytes().replace(b"v1.0.0", b"v1.0.1"))

    assert recall(tmp_path) == []


def test_keeping_leaves_no_draft_behind(tmp_path):
    for _ in range(3):
        keep(tmp_path, KEPT)

    assert [path.name for path in tmp_path.iterdir()] == ["m.plan"]


def test_an_override_is_read_back_and_a_torn_one_is_none(tmp_path):
    assert override_of(tmp_path, "m") is None
    stop_challengers(tmp_path, "m", Override(epoch=3, reason="it fails"))
    assert override_of(tmp_path, "m") == Override(epoch=3, reason="it fails")

    (tmp_path / "m.override").write_bytes(b'{"epoch": 3')
    assert override_of(tmp_path, "m") is None


def test_a_plan_of_another_version_of_ours_is_no_plan_and_does_not_hide_the_others(tmp_path):
    keep(tmp_path, KEPT)
    body = KEPT.to_json().replace(b'"salt"', b'"pepper"')
    (tmp_path / "a.plan").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    contradictory = KEPT.to_json().replace(b"1000000", b"999999")
    (tmp_path / "b.plan").write_bytes(hashlib.sha256(contradictory).hexdigest().encode() + b"\n" + contradictory)
    (tmp_path / "c.plan").mkdir()

    assert recall(tmp_path) == [KEPT]


@pytest.mark.parametrize("torn", [b"", b"\xff\xfe", b"[]", b'{"epoch": "three", "reason": "x"}'])
def test_an_override_that_makes_no_sense_is_none(tmp_path, torn):
    (tmp_path / "m.override").write_bytes(torn)

    assert override_of(tmp_path, "m") is None
