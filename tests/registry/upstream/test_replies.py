"""Replies into numbers: any bytes give numbers or a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records.upstream import Upstream
from registry.records.version import Feature
from registry.upstream.failed import REASONS, UpstreamFailed
from registry.upstream.mapping import Mapper
from registry.upstream.reply import at, numbers, parse, tensor_rows, tokens

X = (Feature(name="x", kind="numeric"),)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "predictions": VALUES,
        "outputs": VALUES | st.lists(st.fixed_dictionaries({"shape": VALUES, "data": VALUES}), max_size=2),
    },
)


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a/b": [1, {"~": 2}], "": 3}),
        ("/a~1b/0", 1),
        ("/a~1b/1/~0", 2),
        ("/", 3),
    ],
)
def test_a_pointer_leads_where_rfc_6901_says(pointer, found):
    assert at({"a/b": [1, {"~": 2}], "": 3}, tokens(pointer)) == found


@pytest.mark.parametrize("pointer", ["/b", "/a~1b/2", "/a~1b/00", "/a~1b/-", "/a~1b/-1", "/a~1b/0/0"])
def test_a_pointer_that_leads_nowhere_is_a_wrong_shape(pointer):
    with pytest.raises(UpstreamFailed, match="wrong_shape"):
        at({"a/b": [1, {"~": 2}], "": 3}, tokens(pointer))


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        ({"shape": [2], "data": [1, 2]}, [1, 2]),
        ({"shape": [2, 1], "data": [[1], [2]]}, [1, 2]),
        ({"shape": [2, 2], "data": [1, 2, 3, 4]}, [[1, 2], [3, 4]]),
        ({"shape": [2, 2], "data": [[1, 2], [3, 4]]}, [[1, 2], [3, 4]]),
    ],
)
def test_tensors_come_flat_or_nested(output, rows):
    assert tensor_rows(output, 2) == rows


@pytest.mark.parametrize(
    "output",
    [
        {},
        {"shape": [], "data": []},
        {"shape": [3], "data": [1, 2, 3]},
        {"shape": [2], "data": [1, 2, 3]},
        {"shape": [2], "data": 1},
    ],
)
def test_a_tensor_of_another_length_is_a_wrong_shape(output):
    with pytest.raises(UpstreamFailed, match="wrong_shape"):
        tensor_rows(output, 2)


def test_nan_null_and_infinity_are_numbers_that_are_checked_later():
    said = numbers(parse(b"[NaN, -Infinity, null, 1]"), 4, [])

    assert [str(value) for value in said] == ["nan", "-inf", "nan", "1.0"]


@given(REPLIES, st.sampled_from(["json", "v2", "mlflow"]), st.integers(1, 4))
def test_any_json_gives_as_many_numbers_as_rows_or_a_reason(document, protocol, rows):
    upstream = Upstream(url="http://a", protocol=protocol, model="m" if protocol == "v2" else None)
    try:
        scores = Mapper(upstream, X).scores(json.dumps(document).encode(), rows)
    except UpstreamFailed as failed:
        assert failed.reason in REASONS
        return
    assert [type(score) for score in scores] == [float] * rows


@given(st.binary(max_size=60))
def test_any_bytes_give_numbers_or_a_reason(raw):
    try:
        scores = Mapper(Upstream(url="http://a", protocol="json", scores=""), X).scores(raw, 1)
    except UpstreamFailed as failed:
        assert failed.reason in REASONS
        return
    assert len(scores) == 1


@given(
    st.lists(st.text(max_size=8), unique=True, min_size=1), st.none() | st.floats(allow_nan=False, allow_infinity=False)
)
def test_features_may_have_any_names(names, value):
    features = [Feature(name=name, kind="numeric") for name in names if name != "$rows"]
    row = dict.fromkeys(names, value)
    try:
        body = Mapper(Upstream(url="http://a", protocol="json"), features).body([row, row])
    except UnicodeEncodeError:
        return

    assert json.loads(body) == {"instances": [{feature.name: value for feature in features}] * 2}
