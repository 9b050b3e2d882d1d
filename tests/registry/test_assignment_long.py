"""A million keys at a time: shares are met, and no ramp moves a key that it should not (`pytest -m long`)."""

from itertools import pairwise, repeat

import mmh3
import numpy as np
import pytest

from registry.assignment import TOTAL, VARIANT_SEED, Dealer, home_slices

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
KEYS, SALTS, RAMPS, HOMES, STEPS = 1_000_000, 100, 1_000, 8, 5
PERCENTS = (0.01, 0.1, 1, 10, 33.3333, 50)
CHALLENGERS = [f"v{number}" for number in range(HOMES)]
CODES = {"champion": 0} | {variant: code for code, variant in enumerate(CHALLENGERS, 1)}


def keys():
    return [f"customer-{number}".encode() for number in range(KEYS)]


def buckets(salt, names):
    """What `bucket_of` says of every key, less one."""
    prefix = f"{salt}:".encode()
    hashes = map(mmh3.mmh3_32_uintdigest, map(prefix.__add__, names), repeat(VARIANT_SEED))
    return np.fromiter(hashes, dtype=np.uint32, count=len(names)) % TOTAL


def dealt(slices, places):
    """Code of the variant of every key."""
    table = np.repeat(np.array([CODES[v] for v, _ in slices], dtype=np.uint8), [weight for _, weight in slices])
    return table[places]


def agrees(slices, salt, names, codes, sample):
    """Whether the dealer says the same of some of the keys."""
    dealer = Dealer(salt=salt, slices=slices)
    return all(CODES[dealer.deal(names[index].decode()).variant] == codes[index] for index in sample)


def test_every_share_is_met_for_every_salt():
    names, rng, worst = keys(), np.random.default_rng(0), 0.0
    for number in range(SALTS):
        salt = f"model.r-{number:04d}"
        places = buckets(salt, names)
        for percent in PERCENTS:
            share = round(percent * TOTAL / 100)
            slices = home_slices({"v0": share})
            codes = dealt(slices, places)
            assert agrees(slices, salt, names, codes, rng.integers(0, KEYS, 20))
            chance = share / TOTAL
            z = (np.count_nonzero(codes) - KEYS * chance) / np.sqrt(KEYS * chance * (1 - chance))
            worst = max(worst, abs(float(z)))
            assert abs(z) < 5, f"{percent} % of {salt}: z = {z:.2f}"
    print(f"\n{SALTS} salts x {len(PERCENTS)} shares x {KEYS:,} keys: the largest |z| is {worst:.2f}")


def shares_of(rng):
    """Shares of one ramp, step by step: each challenger stays or grows; new ones may join behind the others."""
    room, here = TOTAL // HOMES, int(rng.integers(1, HOMES + 1))
    shares = np.sort(rng.integers(0, room + 1, size=(STEPS, HOMES)), axis=0)
    joined = np.sort(rng.integers(1, here + 1, size=STEPS))
    return [
        dict(zip(CHALLENGERS[:count], map(int, row), strict=False)) for row, count in zip(shares, joined, strict=True)
    ]


def moves(before, after):
    """Keys that left a challenger, and keys that went from one challenger to another."""
    left = np.bincount(before[(before != after) & (before > 0)], minlength=HOMES + 1)
    between = np.count_nonzero((before != after) & (before > 0) & (after > 0))
    return left, between


def test_no_ramp_moves_a_key_that_it_should_not_and_down_is_the_reverse_of_up():
    names, rng = keys(), np.random.default_rng(1)
    checked = 0
    for number in range(RAMPS):
        if number % 50 == 0:
            salt = f"ramp.{number}"
            places = buckets(salt, names)
        layouts = [home_slices(shares, homes=HOMES) for shares in shares_of(rng)]
        up = [dealt(slices, places) for slices in layouts]
        assert agrees(layouts[-1], salt, names, up[-1], rng.integers(0, KEYS, 20))
        for before, after in pairwise(up):
            left, between = moves(before, after)
            assert (left.sum(), between) == (0, 0)
            checked += 1
        down = [dealt(slices, places) for slices in reversed(layouts)]
        for (before, after), (later, earlier) in zip(pairwise(up), pairwise(down[::-1]), strict=True):
            assert np.array_equal(np.flatnonzero(before != after), np.flatnonzero(earlier != later))
            assert np.array_equal(before, later)
    print(f"\n{RAMPS} ramps, {checked} steps, {KEYS:,} keys: none left a growing challenger, none moved between two")


def test_a_challenger_that_shrinks_gives_its_keys_to_the_champion_only():
    names, rng = keys(), np.random.default_rng(2)
    places = buckets("shrink", names)
    for _ in range(100):
        first, second = (
            dict(zip(CHALLENGERS, map(int, rng.integers(0, TOTAL // HOMES + 1, HOMES)), strict=True)) for _ in "ab"
        )
        before, after = (dealt(home_slices(shares, homes=HOMES), places) for shares in (first, second))
        left, between = moves(before, after)
        kept = [CODES[variant] for variant in CHALLENGERS if second[variant] >= first[variant]]
        assert between == 0
        assert left[kept].sum() == 0
