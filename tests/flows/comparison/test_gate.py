"""The whole gate over simulated lives: holdout, shadow, 10 %, 50 %."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from gate_making import POLICY, World, holdout, live_through

BETTER = {"lost": 0.02, "won": 0.05}
EQUAL = World()


def lives(world: World, n: int, seed: int, **traffic) -> Counter:
    dice = np.random.default_rng(seed)
    return Counter(live_through(dice, world, **traffic) for _ in range(n))


def at_most(share: float, n: int) -> float:
    """The share and three Monte Carlo standard errors, as a count."""
    return n * share + 3 * (n * share * (1 - share)) ** 0.5


def test_a_good_challenger_gets_through_and_bad_ones_do_not():
    assert lives(World(**BETTER), 6, 1, per_hour=4000)["promoted"] >= 4
    assert lives(World(lost=0.06, won=0.02), 6, 2) == {"rejected": 6}
    assert lives(World(**BETTER, latency=20.0), 6, 3) == {"rejected": 6}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("world", "seed"),
    [
        (EQUAL, 11),
        (World(lost=0.01, won=0.01), 12),
        (World(**BETTER, revenue=0.9), 13),
        (World(**BETTER, revenue=0.85), 14),
        (World(**BETTER, latency=15.0), 15),
        (World(**BETTER, failures=0.021), 16),
    ],
    ids=["equal", "equal, few flips", "revenue at its margin", "revenue beyond", "latency at its margin", "failures"],
)
def test_equal_models_and_broken_guardrails_are_promoted_in_at_most_five_percent_of_lives(world, seed):
    n = 1000
    found = lives(world, n, seed, per_hour=2000)
    print(world, dict(found))

    assert found["promoted"] <= at_most(0.05, n)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_one_point_more_on_ten_thousand_paired_rows_is_promoted_in_95_percent():
    dice = np.random.default_rng(21)
    point = World(lost=0.025, won=0.035)
    found = Counter(
        holdout(dice, point, 10_000, msgspec.structs.replace(POLICY, guardrails=())).outcome for _ in range(1000)
    )
    print(dict(found))

    assert found["promote"] >= 950
