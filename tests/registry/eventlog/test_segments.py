"""Segments survive whatever kills their writer."""

import errno
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.eventlog import segments
from registry.eventlog.events import Observed
from registry.eventlog.segments import SegmentReader, SegmentWriter


def outcome(number):
    return Observed(model="m", id=f"p{number}", metric="label", value=1.0, time=float(number))


def ids(reader, path, offset=0):
    events, end = reader.read(path, offset)
    return [event.id for event in events], end


@pytest.fixture
def written(tmp_path):
    writer = SegmentWriter(tmp_path, "worker")
    writer.append([outcome(number) for number in range(3)])
    writer.close()
    reader = SegmentReader(tmp_path, ("worker",))
    [path] = reader.segments()
    return path, reader


def test_a_torn_tail_is_left_for_later_and_read_when_it_is_whole(written):
    path, reader = written
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])

    found, end = ids(reader, path)
    assert found == ["p0", "p1"]
    path.write_bytes(whole)
    assert ids(reader, path, end)[0] == ["p2"]
    assert reader.torn == 0


@pytest.mark.parametrize("place", range(0, 60, 3))
def test_a_flipped_bit_spoils_one_line_only_and_is_counted(written, place):
    path, reader = written
    data = bytearray(path.read_bytes())
    data[place] ^= 0x04
    path.write_bytes(bytes(data))

    found, _ = ids(reader, path)

    assert found == ["p1", "p2"]
    assert reader.torn >= 1


def test_every_start_writes_a_file_of_its_own(tmp_path):
    for number in range(3):
        writer = SegmentWriter(tmp_path, "worker")
        writer.append([outcome(number)])
        writer.close()
    reader = SegmentReader(tmp_path, ("worker",))

    assert [ids(reader, path)[0] for path in reader.segments()] == [["p0"], ["p1"], ["p2"]]


def test_nothing_to_write_makes_no_file(tmp_path):
    assert SegmentWriter(tmp_path, "worker").append([])
    assert list(tmp_path.iterdir()) == []


def test_other_roles_are_not_read(tmp_path):
    SegmentWriter(tmp_path, "shadow").append([outcome(1)])

    assert SegmentReader(tmp_path, ("worker",)).segments() == []


def test_a_process_killed_in_the_middle_of_a_line_spoils_nothing_for_the_next(written, tmp_path):
    path, reader = written
    path.write_bytes(path.read_bytes()[:-5])

    after_the_crash = SegmentWriter(tmp_path, "worker")
    after_the_crash.append([outcome(7)])

    assert [ids(reader, each)[0] for each in reader.segments()] == [["p0", "p1"], ["p7"]]


def test_a_line_that_is_not_one_of_ours_is_counted_although_its_checksum_is_right(written):
    path, reader = written
    payload = b'{"type":"rumour","id":"p9"}'
    with path.open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(payload), payload))

    assert ids(reader, path)[0] == ["p0", "p1", "p2"]
    assert reader.torn == 1


@given(limit=st.integers(1, 400))
def test_whatever_the_size_of_a_read_all_lines_come_once_and_in_order(tmp_path_factory, limit):
    folder = tmp_path_factory.mktemp("log")
    SegmentWriter(folder, "worker").append([outcome(number) for number in range(9)])
    reader = SegmentReader(folder, ("worker",))
    [path] = reader.segments()

    found, offset = [], 0
    while offset < path.stat().st_size:
        events, offset = reader.read(path, offset, limit)
        found += [event.id for event in events]

    assert found == [f"p{number}" for number in range(9)]


def test_segments_come_in_the_order_of_their_starts_whatever_their_roles(tmp_path):
    for number, role in enumerate(["worker", "shadow", "worker"]):
        SegmentWriter(tmp_path, role).append([outcome(number)])
    reader = SegmentReader(tmp_path, ("shadow", "worker"))

    assert [ids(reader, path)[0] for path in reader.segments()] == [["p0"], ["p1"], ["p2"]]


def test_a_sync_that_fails_is_told_and_the_next_line_goes_to_a_new_file(tmp_path, monkeypatch):
    def fails(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    writer = SegmentWriter(tmp_path, "worker")
    writer.append([outcome(0)])
    with monkeypatch.context() as broken:
        broken.setattr(segments.os, "fdatasync", fails)
        assert not writer.flush()
    assert writer.append([outcome(1)])
    assert writer.flush()

    reader = SegmentReader(tmp_path, ("worker",))
    assert [ids(reader, path)[0] for path in reader.segments()] == [["p0"], ["p1"]]


def test_a_failed_sync_closes_nothing_under_the_hands_of_the_thread_that_writes(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path, "worker")
    writer.append([outcome(0)])
    closed = []
    monkeypatch.setattr(segments.os, "fdatasync", lambda _descriptor: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
    monkeypatch.setattr(segments.os, "close", lambda descriptor: closed.append(descriptor))

    writer.flush()

    assert closed == []


def test_a_folder_that_cannot_be_made_loses_the_events_and_counts_them(tmp_path):
    (tmp_path / "events").write_text("a file")
    writer = SegmentWriter(tmp_path / "events", "worker")

    assert not writer.append([outcome(0), outcome(1)])
    assert (writer.unlogged, writer.failing) == (2, True)


def test_what_was_appended_survives_a_kill_9_right_behind_it(tmp_path):
    code = (
        "import os, sys, pathlib;"
        "from registry.eventlog.events import Observed; from registry.eventlog.segments import SegmentWriter;"
        "event = Observed(model='m', id='p0', metric='label', value=1.0, time=0.0);"
        "SegmentWriter(pathlib.Path(sys.argv[1]), 'worker').append([event]); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)

    assert killed.returncode == -9
    reader = SegmentReader(tmp_path, ("worker",))
    assert [ids(reader, path)[0] for path in reader.segments()] == [["p0"]]
