"""Any body gives rows, or a refusal that names what is wrong; never anything else."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records.version import Feature
from router.decode import MAX_BODY, decode, rows_of
from router.errors import BadRequest, Malformed, TooLarge

FEATURES = (Feature(name="x", kind="numeric"), Feature(name="c", kind="categorical", levels=("a",)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["key", "features", "rows", "id", "time", "x", "c", "?"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=80))
def test_any_bytes_are_json_or_refused(body):
    try:
        decode(body)
    except Malformed as refusal:
        assert refusal.why
        assert refusal.mend


@given(JSON)
def test_any_json_is_rows_or_a_refusal_that_says_why(document):
    try:
        rows, _ = rows_of(document, FEATURES)
    except BadRequest as refusal:
        assert len(refusal.why) > 5
        assert 400 <= refusal.status < 500
    else:
        assert rows
        assert all(set(row.features) == {"x", "c"} for row in rows)


@given(st.floats(-1e30, 1e30), st.text(max_size=10))
def test_names_and_positions_mean_the_same(x, c):
    named, _ = rows_of({"key": "k", "features": {"c": c, "x": x}}, FEATURES)
    placed, _ = rows_of({"key": "k", "features": [x, c]}, FEATURES)

    assert named == placed


def test_all_mistakes_of_all_rows_are_named_at_once():
    with pytest.raises(BadRequest) as refused:
        rows_of({"rows": [{"features": {"x": "old", "y": 1}}, {"features": {"x": 1, "c": 2}, "who": 3}]}, FEATURES)

    for said in ("rows[0].features.x is 'old'", "rows[0].features.c is missing", "rows[1].features.c is 2"):
        assert said in refused.value.why
    assert "features.'y': unknown feature" in refused.value.why
    assert "who" in refused.value.why


@pytest.mark.parametrize("value", [float("inf"), 1e39, -1e300, "1", [], {}])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(BadRequest, match=r"features\.x"):
        rows_of({"features": {"x": value, "c": "a"}}, FEATURES)


def test_null_is_a_missing_value():
    rows, batch = rows_of({"features": {"x": None, "c": None}}, FEATURES)

    assert (rows[0].features, batch) == ({"x": None, "c": None}, False)


@pytest.mark.parametrize("rows", [[], {}, "x", None, [{"features": [1, "a"]}] * 10_001])
def test_an_empty_or_overlong_batch_is_refused_with_the_limit(rows):
    with pytest.raises(BadRequest, match=r"10000|rows"):
        rows_of({"rows": rows}, FEATURES)


def test_too_many_bytes_are_refused():
    with pytest.raises(TooLarge, match=str(MAX_BODY)):
        decode(b" " * (MAX_BODY + 1))


def test_deep_nesting_is_refused():
    with pytest.raises(Malformed):
        decode(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("body", [b'{"key": "\xe9"}', b'{"key": "\xc0\xaf"}', b'{"\xff": 1}', b'"\xed\xa0\x80"'])
def test_text_that_is_not_utf_8_is_refused(body):
    with pytest.raises(Malformed, match="It is no JSON"):
        decode(body)


def test_a_key_with_a_lone_surrogate_is_understood():
    document = decode(b'{"key": "\\ud800", "features": [1, "a"]}')
    rows, _ = rows_of(document, FEATURES)

    assert rows[0].key == "\ud800"


def test_a_document_survives_the_way_there_and_back():
    document = {"key": "k", "features": {"x": 1.5, "c": "a"}, "id": "p", "time": 5.0}
    rows, _ = rows_of(decode(msgspec.json.encode(document)), FEATURES)

    assert (rows[0].key, rows[0].features, rows[0].id, rows[0].time) == ("k", {"x": 1.5, "c": "a"}, "p", 5.0)


@pytest.mark.parametrize("time", [-62_135_596_801, 1e11, 10**400, "now", True, [], {}])
def test_a_time_that_no_calendar_holds_is_refused(time):
    with pytest.raises(BadRequest, match=r"time is .*expected epoch seconds"):
        rows_of({"features": [1, "a"], "time": time}, FEATURES)


@given(st.integers(-62_135_596_800, 10**11 - 1))
def test_every_time_that_is_taken_is_a_date(time):
    [row], _ = rows_of({"features": [1, "a"], "time": time}, FEATURES)

    assert datetime.fromtimestamp(row.time, UTC).timestamp() == pytest.approx(time)
