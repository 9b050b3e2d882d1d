"""Outcomes come as one object, a list, a list under "rows", or lines."""

import msgspec
import pytest

from router.errors import BadRequest, Malformed
from router.outcomes import MAX_ROWS, rows_of

ONE, TWO = {"key": "a", "value": 1}, {"key": "b", "value": 0}


@pytest.mark.parametrize(
    ("body", "content_type", "many"),
    [
        (msgspec.json.encode(ONE), "application/json", False),
        (msgspec.json.encode([ONE]), "application/json", True),
        (msgspec.json.encode({"rows": [ONE]}), "application/json", True),
        (msgspec.json.encode(ONE) + b"\n\n", "application/x-ndjson", True),
    ],
)
def test_every_form_is_understood(body, content_type, many):
    assert rows_of(body, content_type) == ([ONE], many)


def test_lines_are_understood_without_their_content_type():
    assert rows_of(msgspec.json.encode(ONE) + b"\n" + msgspec.json.encode(TWO), "") == ([ONE, TWO], True)


def test_a_broken_line_spoils_only_itself():
    rows, _ = rows_of(b'{"key": "a", "value": 1}\n{oops\n', "application/x-ndjson")

    assert rows[0] == ONE
    assert "no JSON" in rows[1]


def test_what_is_no_json_is_refused_with_its_reason():
    with pytest.raises(Malformed, match="no JSON"):
        rows_of(b"{oops", "application/json")


def test_too_many_rows_are_refused_with_the_limit():
    with pytest.raises(BadRequest, match=str(MAX_ROWS)):
        rows_of(msgspec.json.encode([ONE] * (MAX_ROWS + 1)), "application/json")
