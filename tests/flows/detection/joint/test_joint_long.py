"""How often joint drift is found, and how often it is cried for nothing. `pytest -m long -s <this file>`."""

import time

import joint_making
import numpy as np
import polars as pl
import pytest

from flows.config.detection.joint import Joint
from flows.detection.joint.drift import joint_drift
from flows.detection.joint.profile import joint_profile

pytestmark = pytest.mark.long

KINDS = ("normal", "heavy", "mixed")
QUIET, LOUD = 100, 40


def _share(pairs, config: Joint) -> float:
    found = [joint_drift(was, now, config, seed).drifted for seed, (was, now) in enumerate(pairs)]
    return float(np.mean(found))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_correlation_of_two_in_ten_columns_is_found(kind):
    pairs = (
        (joint_making.table(seed, kind=kind), joint_making.table(10_000 + seed, correlation=0, kind=kind))
        for seed in range(LOUD)
    )

    share = _share(pairs, Joint())

    print(f"{kind}: found in {share:.1%} of {LOUD}")
    assert share >= 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [(2000, 2000), (5000, 1000)], ids=str)
def test_without_drift_at_most_one_in_a_hundred_windows_is_called_drifted(kind, rows):
    pairs = (
        (joint_making.table(20_000 + seed, rows[0], kind=kind), joint_making.table(30_000 + seed, rows[1], kind=kind))
        for seed in range(QUIET)
    )

    share = _share(pairs, Joint())

    print(f"{kind}, {rows}: {share:.1%} of {QUIET}")
    assert share <= 0.02  # three of a hundred are seen in one campaign of thirteen at a true 1 %


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_drift_by_themselves_are_called_joint_as_rarely(kind):
    pairs = (
        (
            joint_making.table(40_000 + seed, kind=kind),
            joint_making.moved(joint_making.table(50_000 + seed, kind=kind)),
        )
        for seed in range(QUIET // 2)
    )

    share = _share(pairs, Joint())

    print(f"{kind}, every column moved: {share:.1%} of {QUIET // 2}")
    assert share <= 0.03


def test_levels_that_become_more_frequent_are_called_joint_as_rarely():
    pairs = (
        (
            joint_making.table(60_000 + seed, kind="mixed"),
            joint_making.reweighted(joint_making.table(70_000 + seed, 5000, kind="mixed")),
        )
        for seed in range(QUIET // 2)
    )

    share = _share(pairs, Joint())

    print(f"levels moved: {share:.1%} of {QUIET // 2}")
    assert share <= 0.03


def _wide(seed: int, correlation: float, rows: int = 1_000_000) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {f"n{place}": rng.normal(size=rows) for place in range(40)}
    numbers["n1"] = correlation * numbers["n0"] + np.sqrt(1 - correlation**2) * numbers["n1"]
    levels = {f"c{place}": pl.Series(rng.integers(0, 3 + 10 * place, rows)).cast(pl.String) for place in range(10)}
    return pl.DataFrame(numbers | levels)


def test_a_million_rows_of_fifty_columns_take_seconds():
    reference, same, other = _wide(1, 0.8), _wide(2, 0.8), _wide(3, 0.0)
    joint_drift(reference.head(2000), same.head(2000), Joint(permutations=19))
    stored = joint_profile(reference, Joint())
    for name, was in (("rows", reference), ("profile", stored)):
        for current in (same, other):
            start, spent = time.perf_counter(), time.process_time()
            found = joint_drift(was, current, Joint(), 1)
            wall, cpu = time.perf_counter() - start, time.process_time() - spent
            print(f"{name}: {wall:.1f} s, {cpu:.1f} s of processor time; {found.said}")
            assert found.drifted is (current is other)
            assert cpu < 10
    print(f"profile: {len(stored.to_json())} bytes")
