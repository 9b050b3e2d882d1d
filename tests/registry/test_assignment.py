"""Assignment is portable, monotone and never crashes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.assignment import TOTAL, assign, bucket_of, home_slices
from registry.errors import InvalidRecord

keys = st.one_of(st.text(min_size=1), st.integers(min_value=0, max_value=10**12))
ppm = st.integers(0, TOTAL)


def murmur3_x86_32(data: bytes, seed: int) -> int:
    """Written from Appleby's reference (smhasher, MurmurHash3.cpp), to check the library against."""

    def scramble(k: int) -> int:
        k = k * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) & 0xFFFFFFFF
        return k * 0x1B873593 & 0xFFFFFFFF

    h = seed
    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        h ^= scramble(k)
        h = (h << 13 | h >> 19) & 0xFFFFFFFF
        h = (h * 5 + 0xE6546B64) & 0xFFFFFFFF
    h ^= scramble(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


@pytest.mark.parametrize(
    ("salt", "key", "seed", "bucket"),
    [("gr1", "123", 0, 73), ("groupX", "999", 0, 25), ("gr1", "123", 86028157, 96), ("groupX", "999", 86028157, 60)],
)
def test_agrees_with_the_normalised_values_of_the_unleash_clients(salt, key, seed, bucket):
    assert bucket_of(salt, key, total=100, seed=seed) == bucket


@pytest.mark.parametrize(
    ("salt", "key", "bucket"),
    [
        ("churn.first", "customer-1", 994133),
        ("churn.first", "customer-2", 540075),
        ("churn.r-0001", "customer-1", 740137),
        ("s", "42", 846679),
        ("s", "ключ", 378178),
        ("s", "鍵🔑", 142426),
        ("s", "a:b", 421773),
        ("s", " ", 697126),
    ],
)
def test_golden_buckets_never_change(salt, key, bucket):
    assert bucket_of(salt, key) == bucket


@given(salt=st.text(alphabet="abc.-09"), key=st.text(), seed=st.sampled_from([0, 86028157]))
def test_buckets_agree_with_an_independent_murmur3(salt, key, seed):
    assert bucket_of(salt, key, seed=seed) == murmur3_x86_32(f"{salt}:{key}".encode(), seed) % TOTAL + 1


@given(key=keys, share=ppm, more=ppm)
def test_a_growing_canary_keeps_every_key_it_has(key, share, more):
    narrow, wide = home_slices({"b": min(share, more)}), home_slices({"b": max(share, more)})

    if assign(key, salt="s", slices=narrow).variant == "b":
        assert assign(key, salt="s", slices=wide).variant == "b"


@given(key=keys, data=st.data(), homes=st.integers(1, 5))
def test_home_ranges_never_move_a_key_between_challengers(key, data, homes):
    names = ["a", "b", "c", "d", "e"][:homes]
    shares = st.lists(st.integers(0, TOTAL // homes), min_size=homes, max_size=homes)
    layouts = [home_slices(dict(zip(names, data.draw(shares), strict=True)), homes=homes) for _ in range(2)]
    before, after = (assign(key, salt="s", slices=slices).variant for slices in layouts)

    assert before == after or "champion" in (before, after)


@given(key=keys, share=st.integers(0, 250_000), newcomer=st.integers(0, 250_000))
def test_a_second_challenger_takes_keys_from_the_champion_only(key, share, newcomer):
    alone = assign(key, salt="s", slices=home_slices({"a": share}, homes=4)).variant
    both = assign(key, salt="s", slices=home_slices({"a": share, "b": newcomer}, homes=4)).variant

    assert alone == both or (alone, both) == ("champion", "b")


@given(shares=st.lists(st.integers(0, 200_000), max_size=5))
def test_every_layout_adds_up(shares):
    slices = home_slices({f"v{index}": share for index, share in enumerate(shares)}, homes=5)

    assert sum(weight for _, weight in slices) == TOTAL


def test_shares_are_met_within_sampling_error():
    slices = home_slices({"b": 100_000})
    dealt = sum(assign(f"customer-{n}", salt="s", slices=slices).variant == "b" for n in range(20_000))

    assert dealt == pytest.approx(2_000, abs=6 * (20_000 * 0.1 * 0.9) ** 0.5)


def test_a_new_salt_deals_afresh():
    slices = home_slices({"b": 500_000})
    kept = sum(
        assign(n, salt="one", slices=slices).variant == assign(n, salt="two", slices=slices).variant
        for n in range(10_000)
    )

    assert 4_500 < kept < 5_500


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "missing_key"),
        ("", "empty_key"),
        (1.5, "unusable_key"),
        (True, "unusable_key"),
        ({"id": 1}, "unusable_key"),
        (["a"], "unusable_key"),
        (b"bytes", "unusable_key"),
        pytest.param("\ud800", "unusable_key", id="a lone surrogate"),
        pytest.param("good until \udfff", "unusable_key", id="a lone surrogate at the end"),
        pytest.param(10**5000, "unusable_key", id="an integer of 5001 digits"),
    ],
)
def test_a_key_that_cannot_be_hashed_goes_to_the_champion_and_does_not_count(key, reason):
    assert assign(key, salt="s", slices=[("b", TOTAL)]) == ("champion", None, False, reason)


@given(key=st.one_of(st.none(), st.booleans(), st.floats(), st.text(st.characters()), st.integers(), st.binary()))
def test_no_key_ever_raises(key):
    assert assign(key, salt="s", slices=home_slices({"b": 500_000})).variant in ("champion", "b")


@given(number=st.integers())
def test_an_integer_and_its_decimal_text_are_the_same_key(number):
    slices = home_slices({"b": 500_000})

    assert assign(number, salt="s", slices=slices) == assign(str(number), salt="s", slices=slices)


@given(key=keys)
def test_a_forced_key_is_served_its_variant_and_does_not_count(key):
    forced = {"b": (str(key),)}

    assert assign(key, salt="s", slices=[("champion", TOTAL)], forced=forced) == ("b", None, False, "forced")


@given(key=st.text(min_size=1), forced=st.sampled_from(["champion", "b"]))
def test_forcing_one_key_moves_no_other(key, forced):
    slices = home_slices({"b": 300_000})
    other = key + "x"

    assert assign(other, salt="s", slices=slices, forced={forced: (key,)}) == assign(other, salt="s", slices=slices)


@given(key=st.text(min_size=1), percent=st.integers(0, 100), wider=st.integers(0, 100))
def test_the_holdout_only_shrinks_when_more_keys_take_part(key, percent, wider):
    low, high = sorted((percent, wider))
    narrow, wide = (assign(key, salt="s", slices=[("b", TOTAL)], enrolment=share) for share in (low, high))

    assert narrow.enrolled <= wide.enrolled
    assert narrow == wide or narrow == ("champion", None, False, "holdout")


def test_no_percent_enrols_nobody_and_all_percent_enrol_everybody():
    dealt = [assign(n, salt="s", slices=[("b", TOTAL)], enrolment=share) for n in range(1_000) for share in (0, 100)]

    assert {one.enrolled for one in dealt[::2]} == {False}
    assert {one.enrolled for one in dealt[1::2]} == {True}


@pytest.mark.parametrize(("salt", "key", "bucket"), [("gr1", "123", 73), ("groupX", "999", 25)])
def test_the_enrolment_gate_agrees_with_the_gradual_rollout_of_the_unleash_clients(salt, key, bucket):
    slices = [("b", TOTAL)]

    assert assign(key, salt=salt, slices=slices, enrolment=bucket).enrolled
    assert not assign(key, salt=salt, slices=slices, enrolment=bucket - 1).enrolled


def test_the_holdout_meets_its_percent():
    enrolled = sum(assign(n, salt="s", slices=[("b", TOTAL)], enrolment=90).enrolled for n in range(20_000))

    assert enrolled == pytest.approx(18_000, abs=6 * (20_000 * 0.1 * 0.9) ** 0.5)


def test_without_any_weight_the_champion_answers():
    assert assign("k", salt="s", slices=[("b", 0)]) == ("champion", None, False, "no_weight")


@given(key=keys)
def test_a_variant_of_weight_zero_is_never_dealt(key):
    assert assign(key, salt="s", slices=[("b", 0), ("champion", TOTAL), ("c", 0)]).variant == "champion"


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 1)])
def test_the_edges_of_a_slice_belong_to_it(first, last):
    whole = 100
    at_edge = next(f"k{n}" for n in range(10_000) if bucket_of("s", f"k{n}", total=whole) == 50 + last)
    slices = [("a", 50), ("b", 50)]

    assert assign(at_edge, salt="s", slices=slices).variant == ("a" if first else "b")


@pytest.mark.parametrize(
    ("shares", "homes", "why"),
    [
        ({"a": 500_001}, 2, "500001 ppm of 'a'"),
        ({"a": -1}, 1, "-1 ppm of 'a'"),
        ({"a": 1, "b": 1}, 1, "2 challengers share 1 homes"),
        ({"champion": 1}, 1, "'champion' is the champion"),
        ({}, 0, "0 homes"),
    ],
)
def test_a_layout_without_room_is_refused(shares, homes, why):
    with pytest.raises(InvalidRecord, match=why):
        home_slices(shares, homes=homes)
