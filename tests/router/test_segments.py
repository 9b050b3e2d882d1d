"""Segments survive whatever kills their writer."""

import pytest

from router.events import Observed
from router.segments import SegmentReader, SegmentWriter


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
