"""Outcomes come as one object, a list, a list under "rows", or lines; they are acknowledged when they are durable."""

import asyncio
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records.live import OutcomeStatus
from router.errors import BadRequest, Malformed
from router.outcomes import MAX_ROWS, NotDurable, OutcomeLog, rows_of

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


def test_too_many_lines_are_refused_with_the_limit():
    with pytest.raises(BadRequest, match=str(MAX_ROWS)):
        rows_of(b'{"key": "a", "value": 1}\n' * (MAX_ROWS + 1), "application/x-ndjson")


def test_too_many_rows_are_refused_with_the_limit():
    with pytest.raises(BadRequest, match=str(MAX_ROWS)):
        rows_of(msgspec.json.encode([ONE] * (MAX_ROWS + 1)), "application/json")


class Disk:
    """A segment writer that says when it flushes, and can refuse."""

    def __init__(self):
        self.appended, self.flushed, self.flushes = [], 0, 0
        self.takes = self.keeps = True
        self.gate = threading.Event()
        self.gate.set()

    def append(self, events):
        if self.takes:
            self.appended += events
        return self.takes

    def flush(self):
        covered = len(self.appended)
        self.gate.wait(10)
        self.flushes += 1
        self.flushed = covered
        return self.keeps


class Knows:
    def __init__(self, **statuses):
        self._statuses = statuses

    def statuses(self, model, items):
        return [OutcomeStatus(status=self._statuses.get(item.prediction_id, "accepted")) for item in items]


def keep(disk, raw, lookup=None):
    return asyncio.run(OutcomeLog(disk, lookup or Knows()).keep("m", raw))


def test_every_row_has_a_status_of_its_own_and_only_what_is_new_is_written():
    disk = Disk()
    raw = [{"prediction_id": id_, "value": 1} for id_ in "abc"] + [{"value": 1}, "a string"]

    statuses = keep(disk, raw, Knows(b="duplicate", c="conflict"))

    assert [status.status for status in statuses] == ["accepted", "duplicate", "conflict", "invalid", "invalid"]
    assert [event.prediction_id for event in disk.appended] == ["a"]
    assert disk.flushed == 1


@pytest.mark.parametrize("trouble", ["takes", "keeps"])
def test_a_disk_that_refuses_acknowledges_nothing(trouble):
    disk = Disk()
    setattr(disk, trouble, False)

    with pytest.raises(NotDurable) as refused:
        keep(disk, [{"prediction_id": "a", "value": 1}])
    assert refused.value.status == 503


def test_nothing_new_needs_no_flush():
    disk = Disk()
    keep(disk, [{"prediction_id": "a", "value": 1}, {"value": "x"}], Knows(a="duplicate"))

    assert disk.flushes == 0


def test_callers_share_a_flush_but_never_one_that_began_before_their_rows():
    disk = Disk()
    disk.gate.clear()

    async def crowd():
        log = OutcomeLog(disk, Knows())
        acknowledged = []

        async def send(number):
            await log.keep("m", [{"prediction_id": f"p{number}", "value": 1}])
            acknowledged.append((number, disk.flushed))

        first = asyncio.create_task(send(0))
        await asyncio.sleep(0.05)  # its flush has begun
        others = [asyncio.create_task(send(number)) for number in range(1, 20)]
        await asyncio.sleep(0.05)
        assert acknowledged == []
        disk.gate.set()
        await asyncio.gather(first, *others)
        return acknowledged

    acknowledged = asyncio.run(crowd())

    assert len(acknowledged) == 20
    assert all(flushed > number for number, flushed in acknowledged)
    assert disk.flushes == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"value": 1}, "give either prediction_id or key"),
        ({"prediction_id": "a", "key": "b", "value": 1}, "give either prediction_id or key"),
        ({"prediction_id": "", "value": 1}, "prediction_id is ''"),
        ({"key": "x" * 257, "value": 1}, "expected 1 to 256 characters"),
        ({"prediction_id": "a"}, "value"),
        ({"prediction_id": "a", "value": "1"}, "value"),
        ({"prediction_id": "a", "value": 1, "metric": ""}, "metric is ''"),
        ({"prediction_id": "a", "value": 1, "colour": "red"}, "colour"),
        (7, "object"),
        ("a string", "object"),
    ],
)
def test_a_row_that_makes_no_sense_is_told_why(row, said):
    [status] = keep(Disk(), [row])

    assert status.status == "invalid"
    assert said in status.said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["prediction_id", "key", "value", "metric", "time", "id"]), inner, max_size=6)
    ),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=5))
def test_any_rows_get_one_status_each(raw):
    statuses = keep(Disk(), raw)

    assert len(statuses) == len(raw)
    assert all(status.said for status in statuses if status.status == "invalid")


def test_the_same_outcome_sent_again_has_the_same_identity_and_another_metric_has_not():
    disk = Disk()
    keep(disk, [{"prediction_id": "a", "value": 1}] * 2 + [{"prediction_id": "a", "value": 1, "metric": "revenue"}])
    keep(disk, [{"key": "a", "value": 1, "time": time} for time in (1, 1, 2)])

    identities = [event.id for event in disk.appended]
    assert identities[0] == identities[1] != identities[2]
    assert identities[3] == identities[4] != identities[5]
    assert len(set(identities)) == 4


PARTS = st.text("ab|\\:k", min_size=1, max_size=3)


@given(st.tuples(PARTS, PARTS), st.tuples(PARTS, PARTS))
def test_only_outcomes_of_the_same_prediction_and_metric_have_the_same_identity(one, other):
    disk = Disk()
    keep(disk, [{"prediction_id": id_, "metric": metric, "value": 1} for id_, metric in (one, other)])

    first, second = (event.id for event in disk.appended)
    assert (first == second) == (one == other)


def test_an_outcome_by_key_is_none_by_prediction_id_however_they_are_called():
    disk = Disk()
    by_key = {"key": "a", "value": 1, "time": 1.0}
    keep(disk, [by_key, {"prediction_id": "key:a|label|1.0", "value": 1}, {"prediction_id": "key:a", "value": 1}])

    assert len({event.id for event in disk.appended}) == 3


def test_ten_thousand_rows_let_others_come_between():
    disk = Disk()

    async def crowd():
        turns = 0

        async def others():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        waiting = asyncio.create_task(others())
        statuses = await OutcomeLog(disk, Knows()).keep("m", [{"key": str(n), "value": n} for n in range(MAX_ROWS)])
        waiting.cancel()
        return statuses, turns

    statuses, turns = asyncio.run(crowd())

    assert [status.status for status in statuses] == ["accepted"] * MAX_ROWS
    assert len(disk.appended) == MAX_ROWS
    assert disk.flushed == MAX_ROWS
    assert turns >= 30


class KnowsEverything:
    def statuses(self, model, items):
        return [OutcomeStatus(status="conflict", said="1.0 was accepted first and is kept") for _ in items]


def test_who_sends_a_second_outcome_of_a_key_without_time_is_told_to_send_one():
    rows = [{"key": "a", "value": 2}, {"key": "a", "value": 2, "time": 5}, {"key": "a", "value": 2, "id": "x"}]

    first, *others = keep(Disk(), rows, KnowsEverything())

    assert first.status == "conflict"
    assert "without time and id" in first.said
    assert [status.said for status in others] == ["1.0 was accepted first and is kept"] * 2


def test_labels_of_several_classes_are_kept_by_number_and_foreign_ones_are_refused():
    disk = Disk()
    raw = [
        {"prediction_id": "a", "value": "fox"},
        {"prediction_id": "b", "value": 1},
        {"prediction_id": "c", "value": "cow"},
        {"prediction_id": "d", "value": 12.5, "metric": "revenue"},
        {"prediction_id": "e", "value": "fox", "metric": "revenue"},
    ]

    statuses = asyncio.run(OutcomeLog(disk, Knows()).keep("m", raw, ("cat", "dog", "fox")))

    assert [one.status for one in statuses] == ["accepted", "accepted", "invalid", "accepted", "invalid"]
    assert statuses[2].said == "value is 'cow', expected one of the classes 'cat', 'dog', 'fox'"
    assert [one.value for one in disk.appended] == [2.0, 1.0, 12.5]
