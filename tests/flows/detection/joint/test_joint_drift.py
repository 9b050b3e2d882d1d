"""Joint drift is found, whatever the columns look like; the drift of single columns is not called joint."""

import json

import joint_making
import numpy as np
import polars as pl
import pytest

from flows.config.conditions import METRICS
from flows.config.detection.joint import Joint
from flows.detection.joint.drift import JointDrift, joint_drift
from flows.detection.joint.profile import JointProfile, joint_profile

PLAIN = Joint(classifier_rows=0)
QUICK = Joint(classifier_rows=500)
KINDS = ("normal", "heavy", "mixed")


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_correlation_is_found_and_its_columns_are_named_first(kind):
    found = joint_drift(joint_making.table(1, kind=kind), joint_making.table(2, correlation=0, kind=kind), QUICK, 1)

    assert found.drifted
    assert set(found.by) == {"correlation", "reconstruction", "classifier"}
    assert set(found.features[:2]) == {"x0", "x1"}
    assert {found.pairs[0].first, found.pairs[0].second} == {"x0", "x1"}


@pytest.mark.parametrize("kind", KINDS)
def test_without_drift_nothing_is_called_joint(kind):
    found = joint_drift(joint_making.table(3, kind=kind), joint_making.table(4, kind=kind), QUICK, 1)

    assert found.enough
    assert not found.drifted
    assert found.features == ()
    assert "as before" in found.said


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_drift_by_themselves_are_no_joint_drift(kind):
    current = joint_making.moved(joint_making.table(6, kind=kind))

    assert not joint_drift(joint_making.table(5, kind=kind), current, QUICK, 1).drifted


def test_levels_that_become_more_frequent_are_no_joint_drift():
    current = joint_making.reweighted(joint_making.table(8, rows=5000, kind="mixed"))

    found = joint_drift(joint_making.table(7, kind="mixed"), current, QUICK, 1)

    assert not found.drifted
    assert found.effective < 0.9 * current.height


def test_a_dependence_without_correlation_is_found_by_the_classifier():
    def ring(seed: int, *, tied: bool) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        x, sign = rng.normal(size=2000), np.sign(rng.normal(size=2000))
        y = sign * np.abs(x) if tied else rng.normal(size=2000)
        return pl.DataFrame({"x": x, "y": y + 0.01 * rng.normal(size=2000), "z": rng.normal(size=2000)})

    found = joint_drift(ring(1, tied=True), ring(2, tied=False), Joint(), 1)

    assert found.by == ("classifier",)
    assert set(found.features) == {"x", "y"}


def test_a_number_that_no_longer_goes_with_a_level_is_found():
    def coloured(seed: int, step: float) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        red = rng.random(2000) < 0.4
        return pl.DataFrame({"colour": np.where(red, "red", "blue"), "size": step * red + rng.normal(size=2000)})

    found = joint_drift(coloured(1, 1.0), coloured(2, 0.0), PLAIN, 1)

    assert found.drifted
    assert set(found.features) == {"colour", "size"}


def test_one_huge_value_changes_no_verdict():
    reference, current = joint_making.table(1), joint_making.table(2, correlation=0)
    spoilt = [
        frame.with_columns(x0=pl.when(pl.row_index() == 0).then(1e6).otherwise("x0")) for frame in (reference, current)
    ]

    for was, now in ((spoilt[0], current), (reference, spoilt[1])):
        assert joint_drift(was, now, PLAIN, 1).drifted
    assert not joint_drift(spoilt[0], joint_making.table(4), PLAIN, 1).drifted


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_profile_finds_what_the_rows_find(kind):
    reference = joint_making.table(1, kind=kind)
    stored = JointProfile.from_json(joint_profile(reference, PLAIN, seed=1).to_json())

    for current in (joint_making.table(2, correlation=0, kind=kind), joint_making.table(3, kind=kind)):
        from_rows = joint_drift(reference, current, PLAIN, 1)
        from_profile = joint_drift(stored, current, PLAIN, 1)
        assert from_profile.by == from_rows.by
        assert from_profile.told is None
        assert from_profile.correlation_p == pytest.approx(from_rows.correlation_p)


def test_a_profile_of_fifty_columns_is_small_and_holds_no_rows():
    rng = np.random.default_rng(0)
    numbers = {f"n{place}": rng.normal(size=3000) for place in range(40)}
    levels = {f"c{place}": pl.Series(rng.integers(0, 5 + 5 * place, 3000)).cast(pl.String) for place in range(10)}

    raw = joint_profile(pl.DataFrame(numbers | levels), Joint()).to_json()

    assert len(raw) < 60_000
    assert repr(float(numbers["n0"][0])).encode() not in raw


def test_the_same_input_gives_the_same_answer_and_survives_as_json():
    reference, current = joint_making.table(1), joint_making.table(2, correlation=0)

    once, again = (joint_drift(reference, current, Joint(classifier_rows=300, permutations=19), 5) for _ in range(2))

    assert once == again
    assert JointDrift.from_json(once.to_json()) == once
    assert json.loads(once.to_json())["drifted"] is True


def test_large_tables_are_sampled_and_it_says_so():
    config = Joint(rows=2000, classifier_rows=0)

    found = joint_drift(joint_making.table(1, 6000), joint_making.table(2, 5000, correlation=0), config, 1)

    assert found.drifted
    assert found.used == (2000, 2000)
    assert (found.reference_rows, found.rows) == (6000, 5000)
    assert "from 2000 rows" in found.said


def test_its_metrics_are_those_that_rules_may_name():
    known = joint_drift(joint_making.table(1), joint_making.table(2, correlation=0), QUICK, 1).metrics()
    unknown = joint_drift(joint_making.table(1, 10), joint_making.table(2), QUICK, 1).metrics()

    assert set(known) <= set(METRICS)
    assert known["joint_drift"] == 1
    assert all(value is not None for value in known.values())
    assert set(unknown.values()) == {None}


def test_wide_tables_are_drawn_from_and_the_classifier_sees_a_hundred_columns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1200, 120))
    y[:, 1] = y[:, 0]
    tables = [pl.DataFrame({f"x{place}": side[:, place] for place in range(120)}) for side in (x, y)]

    found = joint_drift(tables[0], tables[1], Joint(classifier_rows=100, permutations=19), 1)

    assert found.features == ("x0", "x1")
    assert found.told is not None
    assert found.told.columns == 100


def test_a_window_whose_levels_have_all_but_gone_says_that_it_is_not_enough():
    def flags(seed: int, share: float) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        return pl.DataFrame({f"flag {place}": rng.random(1000) < share for place in range(8)})

    found = joint_drift(flags(1, 0.5), flags(2, 0.08), PLAIN, 1)

    assert not found.enough
    assert "weighted as in the reference" in found.said
    assert found.metrics()["joint_drift"] is None
