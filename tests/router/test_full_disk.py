"""A full disk loses what it refuses, and nothing else."""

import errno
import os

import pytest

from registry.eventlog import segments
from registry.eventlog.events import Observed
from registry.eventlog.segments import SegmentReader, SegmentWriter


def outcome(number):
    return Observed(model="churn", id=f"p{number}", metric="label", value=1.0, time=float(number))


@pytest.fixture
def disk(monkeypatch):
    """A disk with room for so many more bytes."""
    real = os.write

    class Disk:
        room = 1 << 30

        def write(self, descriptor, data):
            taken = bytes(data)[: self.room]
            if not taken:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.room -= len(taken)
            return real(descriptor, taken)

    disk = Disk()
    monkeypatch.setattr(segments.os, "write", disk.write)
    return disk


def read(folder):
    reader = SegmentReader(folder, ("worker",))
    found = [event.id for path in reader.segments() for event in reader.read(path, 0)[0]]
    return found, reader.torn


@pytest.mark.parametrize("room", range(0, 400, 7))
def test_whole_lines_stay_a_torn_one_is_cut_and_the_same_file_goes_on(tmp_path, disk, room):
    writer = SegmentWriter(tmp_path, "worker")
    assert writer.append([outcome(0)])
    disk.room = room

    complete = writer.append([outcome(1), outcome(2), outcome(3)])
    kept, torn = read(tmp_path)
    assert (complete, writer.failing) == (len(kept) == 4, len(kept) < 4)
    assert writer.unlogged == 4 - len(kept)
    disk.room = 1 << 30
    assert writer.append([outcome(4)])

    assert (read(tmp_path), torn) == (([*kept, "p4"], 0), 0)
    assert not writer.failing
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reader_that_has_seen_the_whole_lines_reads_on_behind_them(tmp_path, disk):
    writer, reader = SegmentWriter(tmp_path, "worker"), SegmentReader(tmp_path, ("worker",))
    writer.append([outcome(0)])
    disk.room = 250
    writer.append([outcome(number) for number in range(1, 9)])
    [path] = reader.segments()
    seen, offset = reader.read(path, 0)
    disk.room = 1 << 30
    writer.append([outcome(9)])

    more, _ = reader.read(path, offset)

    assert [event.id for event in more] == ["p9"]
    assert (len(seen) + writer.unlogged, reader.torn) == (9, 0)
