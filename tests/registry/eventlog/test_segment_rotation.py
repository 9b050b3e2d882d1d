"""Segments end by size and age; whoever reads them knows which are finished."""

import errno
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from registry.eventlog import segments
from registry.eventlog.events import Observed, Predicted
from registry.eventlog.lines import frame, unframe
from registry.eventlog.segments import SegmentReader, SegmentWriter, is_finished


def outcome(number):
    return Observed(model="m", id=f"p{number}", metric="label", value=1.0, time=float(number))


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def ids(folder, role="worker"):
    reader = SegmentReader(folder, (role,))
    return [[event.id for event in reader.read(path, 0)[0]] for path in reader.segments()]


def test_lines_that_are_json_already_read_as_the_events_they_are(tmp_path):
    events = [outcome(0), outcome(1)]

    assert SegmentWriter(tmp_path, "worker").append_lines([msgspec.json.encode(event) for event in events])

    assert ids(tmp_path) == [["p0", "p1"]]


def test_json_spread_over_lines_stays_one_event(tmp_path):
    features = b'{\n  "x": 1,\n  "text": "a\\nb"\n}'
    event = Predicted(
        model="m", id="p0", key="k", time=1.0, features={}, assigned="champion", served="champion",
        assigned_version="v1", version="v1", epoch=1, phase="canary", enrolled=True, reason="split",
        score=0.5, prediction=1, latency_ms=1.0,
    )  # fmt: skip
    payload = msgspec.json.encode(event).replace(b'"features":{}', b'"features":' + features)

    SegmentWriter(tmp_path, "worker").append_lines([payload, msgspec.json.encode(outcome(1))])

    reader = SegmentReader(tmp_path, ("worker",))
    [path] = reader.segments()
    found, _ = reader.read(path, 0)
    assert [event.id for event in found] == ["p0", "p1"]
    assert found[0].features == {"x": 1, "text": "a\nb"}
    assert reader.torn == 0


@pytest.mark.parametrize("line", [b"", b"zzzzzzzz {}", frame(b"{}")[:-1] + b" ", frame(b"{}")[:-2]])
def test_a_line_that_is_not_as_it_was_written_is_none(line):
    assert unframe(frame(b"{}").rstrip(b"\n")) == b"{}"
    assert unframe(line) is None


def test_a_full_segment_is_followed_by_another_in_the_order_of_time(tmp_path):
    writer = SegmentWriter(tmp_path, "worker", max_bytes=150)
    for number in range(5):
        assert writer.append([outcome(number)])

    assert ids(tmp_path) == [["p0", "p1"], ["p2", "p3"], ["p4"]]


def test_an_old_segment_is_followed_by_another(tmp_path):
    writer = SegmentWriter(tmp_path, "worker", max_age_s=0.05)
    writer.append([outcome(0)])
    writer.append([outcome(1)])
    time.sleep(0.06)
    writer.append([outcome(2)])

    assert ids(tmp_path) == [["p0", "p1"], ["p2"]]


def test_a_segment_is_finished_when_its_writer_goes_on_closes_or_dies(tmp_path):
    writer = SegmentWriter(tmp_path, "worker", max_bytes=1)
    writer.append([outcome(0)])
    writer.append([outcome(1)])
    reader = SegmentReader(tmp_path, ("worker",))

    assert [is_finished(path) for path in reader.segments()] == [True, False]
    writer.close()
    assert [is_finished(path) for path in reader.segments()] == [True, True]

    code = (
        "import pathlib, sys; from registry.eventlog.segments import SegmentWriter;"
        "SegmentWriter(pathlib.Path(sys.argv[1]), 'worker').append_lines([b'{}']); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        *_, newest = SegmentReader(tmp_path, ("worker",)).segments()
        assert not is_finished(newest)
        process.kill()
    assert is_finished(newest)


def test_no_descriptor_is_left_open_behind_many_rotations(tmp_path):
    before = open_files()
    plain = SegmentWriter(tmp_path, "worker", max_bytes=1)
    durable = SegmentWriter(tmp_path, "outcomes", max_bytes=1)
    for number in range(20):
        plain.append([outcome(number)])
        durable.append([outcome(number)])
        assert durable.flush()

    assert open_files() <= before + 3
    plain.close()
    durable.close()
    assert open_files() == before


def test_a_flush_covers_what_was_written_before_a_rotation(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path, "outcomes", max_bytes=1)
    writer.append([outcome(0)])
    writer.flush()
    writer.append([outcome(1)])
    writer.append([outcome(2)])
    synced = []
    monkeypatch.setattr(segments.os, "fdatasync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name))

    assert writer.flush()

    assert set(synced) >= {path.name for path in sorted(tmp_path.iterdir())[1:]}


def test_what_was_written_during_a_sync_that_failed_is_not_called_durable(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path, "outcomes")
    writer.append([outcome(0)])

    def fails(_descriptor):
        writer.append([outcome(1)])  # by the event loop, while the thread syncs
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(segments.os, "fdatasync", fails)
        assert not writer.flush()

    assert not writer.flush(), "p1 went the way of p0"
    writer.append([outcome(2)])
    assert writer.flush()
    assert ids(tmp_path, "outcomes") == [["p0", "p1"], ["p2"]]


def test_a_thread_that_flushes_and_one_that_rotates_never_meet_a_closed_file(tmp_path):
    writer = SegmentWriter(tmp_path, "outcomes", max_bytes=200)
    flushed, stop = [], threading.Event()

    def flush():
        while not stop.is_set():
            flushed.append(writer.flush())

    thread = threading.Thread(target=flush)
    thread.start()
    for number in range(300):
        assert writer.append([outcome(number)])
    stop.set()
    thread.join()
    writer.close()

    assert set(flushed) == {True}
    assert [one for part in ids(tmp_path, "outcomes") for one in part] == [f"p{number}" for number in range(300)]


def follow(reader, offsets):
    found = []
    for path, offset, _size in reader.unread(lambda name: offsets.get(name, 0)):
        events, offsets[path.name] = reader.read(path, offset)
        found += [event.id for event in events]
    return found


def test_a_finished_segment_that_was_read_is_never_looked_at_again(tmp_path):
    writer, reader, offsets = SegmentWriter(tmp_path, "worker", max_bytes=1), SegmentReader(tmp_path, ("worker",)), {}
    for number in range(3):
        writer.append([outcome(number)])
    assert follow(reader, offsets) == ["p0", "p1", "p2"]
    follow(reader, offsets)
    asked = []

    list(reader.unread(lambda name: asked.append(name) or offsets[name]))

    assert set(asked) == {reader.segments()[-1].name}
    writer.append([outcome(3)])
    assert follow(reader, offsets) == ["p3"]


def test_the_torn_tail_of_a_dead_writer_does_not_keep_its_segment_alive(tmp_path):
    writer, reader, offsets = SegmentWriter(tmp_path, "worker"), SegmentReader(tmp_path, ("worker",)), {}
    writer.append([outcome(0), outcome(1)])
    writer.close()
    [path] = reader.segments()
    path.write_bytes(path.read_bytes()[:-5])

    assert follow(reader, offsets) == ["p0"]
    assert follow(reader, offsets) == []
    assert list(reader.unread(lambda name: pytest.fail(name))) == []


def test_a_caller_that_leaves_something_for_later_gets_it_again(tmp_path):
    writer, reader = SegmentWriter(tmp_path, "worker"), SegmentReader(tmp_path, ("worker",))
    writer.append([outcome(0)])
    writer.close()

    assert [list(reader.unread(lambda _: 0)) != [] for _ in range(3)] == [True] * 3


def test_a_segment_that_retention_took_away_is_no_error(tmp_path):
    writer, reader = SegmentWriter(tmp_path, "worker", max_bytes=1), SegmentReader(tmp_path, ("worker",))
    for number in range(3):
        writer.append([outcome(number)])
    first, *_ = reader.segments()
    walk = reader.unread(lambda _: 0)
    next(walk)
    first.unlink()

    assert len(list(walk)) == 2


def test_a_poll_of_many_finished_segments_costs_next_to_nothing(tmp_path):
    writer, reader, offsets = SegmentWriter(tmp_path, "worker", max_bytes=1), SegmentReader(tmp_path, ("worker",)), {}
    for number in range(500):
        writer.append([outcome(number)])
    follow(reader, offsets)
    follow(reader, offsets)
    time.sleep(2.1)  # until the time of the folder is old enough to be trusted
    reader.segments()
    began = time.perf_counter()
    for _ in range(100):
        list(reader.unread(lambda name: offsets[name]))

    assert (time.perf_counter() - began) / 100 < 0.002
