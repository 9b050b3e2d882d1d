"""What the short path takes, and what it leaves to the long one."""

import json
import math

import pytest
from hot_making import FEATURES
from hypothesis import given
from hypothesis import strategies as st

from registry.records.version import Feature
from router.hot.asking import Buffer, Odd, Parser

PARSER = Parser(FEATURES)
GOOD = {"x": 1, "a colour!": "red", "z": None}


def body(**fields):
    return json.dumps({"key": "k", "features": GOOD} | fields).encode()


def test_a_row_by_name_keeps_its_features_as_they_came():
    [row], batch = PARSER.rows(body(id="p", time=5), 10)

    assert (row.key, row.id, row.time, row.values, batch) == ("k", "p", 5.0, (1.0, "red", None), False)
    assert json.loads(row.raw) == GOOD


def test_a_row_by_position_is_logged_by_name():
    [row], _ = PARSER.rows(body(features=[1, "red", None]), 10)

    assert json.loads(row.raw) == GOOD and row.values == (1.0, "red", None)


def test_features_over_many_lines_become_one_line():
    pretty = json.dumps({"key": "k", "features": GOOD}, indent=2).encode()
    [row], _ = PARSER.rows(pretty, 10)

    assert b"\n" not in row.raw and json.loads(row.raw) == GOOD


def test_a_batch_has_a_key_per_row():
    rows, batch = PARSER.rows(json.dumps({"rows": [{"key": k, "features": GOOD} for k in "ab"]}).encode(), 10)

    assert batch and [row.key for row in rows] == ["a", "b"]


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"rows":[]}',
        b'\xff{"key":1}',
        b'{"key":"\\ud800","features":{"x":1,"a colour!":"red","z":1}}',
        body(features={"x": 1}),
        body(features=GOOD | {"w": 1}),
        body(features=GOOD | {"x": True}),
        body(features=GOOD | {"x": "1"}),
        body(features=GOOD | {"a colour!": 3}),
        body(features=[1, "red"]),
        body(features=[1, "red", 2, 3]),
        body(features="x"),
        body(id=""),
        body(id="p" * 129),
        body(id=7),
        body(time=True),
        body(time=1e12),
        body(more=1),
        b'{"key":"k","features":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_whatever_is_odd_is_left_to_the_long_path(odd):
    with pytest.raises(Odd):
        PARSER.rows(odd, 10)
    assert PARSER.rows(body(), 10)


def test_more_rows_than_there_is_room_for_take_the_long_path():
    rows = json.dumps({"rows": [{"features": GOOD}] * 3}).encode()

    assert len(PARSER.rows(rows, 3)[0]) == 3
    with pytest.raises(Odd):
        PARSER.rows(rows, 2)


@pytest.mark.parametrize(
    "features",
    [
        b'{"x":1,"x":5,"a colour!":"red","z":2}',
        b'{"x":1,"a colour!":"blue","z":2,"a colour!":"red","x":5}',
        b'{"\\u0078":5,"a colour!":"red","z":2}',
        b'{"x":5,\r"a colour!":"red","z":2}',
    ],
)
def test_what_is_logged_has_every_name_once_with_the_value_that_was_scored(features):
    [row], _ = PARSER.rows(b'{"features":%b}' % features, 10)

    assert row.values == (5.0, "red", 2.0)
    assert json.loads(row.raw, object_pairs_hook=list) == [("x", 5.0), ("a colour!", "red"), ("z", 2.0)]
    assert b"\r" not in row.raw


def test_names_and_levels_may_hold_nearly_anything():
    features = (Feature(name="a:{[' ", kind="numeric"), Feature(name="é€😀", kind="categorical"))
    [row], _ = Parser(features).rows(json.dumps({"features": {"a:{[' ": 2, "é€😀": 'x:y"}{\n'}}).encode(), 10)

    assert row.values == (2.0, 'x:y"}{\n') and json.loads(row.raw) == {"a:{[' ": 2, "é€😀": 'x:y"}{\n'}


@given(st.text(st.characters(max_codepoint=0x2030, exclude_categories=["Cs"])))
def test_a_parser_says_beforehand_which_names_it_cannot_take(name):
    features = (Feature(name=name, kind="numeric"),)
    if Parser.takes(features):
        [row], _ = Parser(features).rows(json.dumps({"features": {name: 2}}).encode(), 10)
        assert row.values == (2.0,) and json.loads(row.raw) == {name: 2}
    else:
        assert set(name) & {'"', "\\", *map(chr, range(32))}


def test_a_long_batch_is_taken_apart_before_its_rows_are_checked():
    asked = PARSER.asked(json.dumps({"rows": [{"key": k, "features": GOOD} for k in "ab"]}).encode())

    assert [row.key for row in PARSER.checked(asked)] == ["a", "b"]
    with pytest.raises(Odd):
        PARSER.checked(PARSER.asked(json.dumps({"rows": [{"features": GOOD | {"x": "1"}}]}).encode()))
    for odd in (body(), b'{"rows":[]}', b'{"rows":[0]}', b"{"):
        with pytest.raises(Odd):
            PARSER.asked(odd)


@given(st.lists(st.tuples(st.none() | st.floats(allow_nan=False), st.none() | st.sampled_from(["a", "b", "?"]))))
def test_a_buffer_holds_numbers_codes_and_nan_for_what_is_missing(rows):
    buffer = Buffer((None, {"a": 0, "b": 1}), max(len(rows), 1))
    buffer.fill(rows)

    for (number, level), (as_number, as_code) in zip(rows, buffer.raw.tolist(), strict=False):
        assert math.isnan(as_number) if number is None else as_number == number
        assert math.isnan(as_code) if level is None else as_code == {"a": 0, "b": 1}.get(level, 2)
