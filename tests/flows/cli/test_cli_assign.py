"""`understudy assign --ndjson`: one answer per line, in order; wrong lines are told and stop nobody."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.offline import answer_lines
from registry.assignment import assign, bucket_of

HALVES = [["champion", 500_000], ["b", 500_000]]
keys = st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats(allow_nan=False), st.just("\ud800"))
weights = st.sampled_from([0, 1, 33, 10_000, 990_000])


def line(**changes):
    return json.dumps({"salt": "s", "key": "k", "slices": HALVES} | changes).encode() + b"\n"


def answers(*lines):
    return [(json.loads(answer.text), answer.wrong) for answer in answer_lines(lines)]


def answered(**changes):
    [(answer, wrong)] = answers(line(**changes))
    assert not wrong, answer
    return answer


@given(key=keys, slices=st.lists(st.tuples(st.sampled_from("abcd"), weights), min_size=1, max_size=9))
def test_a_line_is_answered_as_the_rule_says(key, slices):
    found = answered(key=key, slices=slices)

    assert found == assign(key, salt="s", slices=slices)._asdict()
    assert list(found) == ["variant", "bucket", "enrolled", "reason"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "missing_key"), ("", "empty_key"), (1.0, "unusable_key"), (True, "unusable_key"), ({}, "unusable_key")],
)
def test_a_key_that_cannot_be_used_has_no_bucket_and_goes_to_the_champion(key, reason):
    slices = [["a", 1], ["b", 1]]

    assert answered(key=key, slices=slices) == {
        "variant": "champion",
        "bucket": None,
        "enrolled": False,
        "reason": reason,
    }


def test_a_missing_key_and_an_integer_of_thousands_of_digits_are_answered_too():
    missing = b'{"salt": "s", "slices": [["b", 1]]}'
    huge = b'{"salt": "s", "slices": [["b", 1]], "key": ' + b"9" * 5000 + b"}"

    assert [found["reason"] for found, _ in answers(missing, huge)] == ["missing_key", "unusable_key"]


def test_the_total_is_the_sum_of_the_weights():
    assert answered(slices=[["a", 33], ["b", 33], ["c", 33]])["bucket"] == bucket_of("s", "k", total=99)


@pytest.mark.parametrize(("key", "forced"), [("k", ["k"]), (42, ["42"]), ("42", [42])])
def test_an_override_is_forced_not_enrolled_and_told_where_it_would_stand(key, forced):
    found = answered(key=key, slices=[["champion", 100], ["b", 0]], overrides={"b": forced})

    assert found == {
        "variant": "b",
        "bucket": bucket_of("s", str(key), total=100),
        "enrolled": False,
        "reason": "forced",
    }


def test_of_two_overrides_the_first_slice_wins():
    found = answered(slices=[["b", 1], ["a", 1]], overrides={"a": ["k"], "b": ["k"]})

    assert found["variant"] == "b"


def test_without_any_weight_the_champion_answers():
    assert answered(slices=[["a", 0]]) == {
        "variant": "champion",
        "bucket": None,
        "enrolled": False,
        "reason": "no_weight",
    }


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"{", ["no JSON"]),
        (b"[]", ["a list, not an object"]),
        (b"\xff", ["no JSON"]),
        (line(salt="a:b"), ["salt 'a:b'"]),
        (line(salt=7, slices=[]), ["salt 7", "slices"]),
        (line(slices=[["b", -1], ["b"], ["b", 1.5], ["b", True]]), ["slice ['b']", "1.5", "True", "weight -1"]),
        (line(overrides={"c": ["k"]}), ["override 'c' has no slice"]),
        (line(overrides={"b": "k"}), ["override 'b' is not a list"]),
        (line(overrides={"b": [True]}), ["override 'b' is not a list"]),
        (line(weights=[]), ["unknown field 'weights'"]),
    ],
)
def test_a_wrong_line_names_itself_and_its_fields_and_the_others_are_answered(raw, names):
    (first, _), (error, wrong), (last, _) = answers(line(), raw, line())

    assert first == last == answered()
    assert wrong
    assert error["line"] == 2
    assert all(name in error["error"]["why"] for name in names)
    assert error["error"]["mend"]


def test_lines_are_answered_as_they_come():
    def endless():
        while True:
            yield line()

    stream = answer_lines(endless())

    assert [json.loads(next(stream).text)["variant"] for _ in range(1000)] == [answered()["variant"]] * 1000


def test_the_command_answers_on_standard_output_and_tells_wrong_lines_apart():
    command = [sys.executable, "-W", "ignore", "-m", "flows.cli.main", "assign", "--ndjson", "-"]
    done = subprocess.run(command, input=line() + b"\n{\n" + line(key="other"), capture_output=True, check=False)

    assert done.returncode == 2
    assert [json.loads(text)["bucket"] for text in done.stdout.splitlines()] == [
        bucket_of("s", key) for key in ("k", "other")
    ]
    assert json.loads(done.stderr)["line"] == 3
