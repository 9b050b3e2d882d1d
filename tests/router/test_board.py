"""The board: what one process writes the others read whole, and the dead are neither lost nor counted twice."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time

import pytest
from router_making import Clock

from router import shared
from router.board import BUFFER, FILE, RETRY_S, SIZE, SLOTS, Board
from router.breaker import Circuit
from router.report import Report, Stop
from router.tally import Tally


def report(rows=1, **changes):
    tally = Tally("m", "canary", "challenger", "v1.1.0", rows=rows, fallbacks={"late": [1, 1]})
    return Report(**({"tallies": [tally], "epochs": {"m": 2}} | changes))


def rows(seen):
    return sum(tally.rows for each in seen for tally in each.report.tallies)


def dead_worker(folder, count):
    """A process that publishes and is gone."""
    code = (
        "import sys, pathlib; from router.board import Board\n"
        "from router.report import Report; from router.tally import Tally\n"
        "board = Board.open(pathlib.Path(sys.argv[1]), 'worker')\n"
        "kept = board.inherited.tallies if board.inherited else [Tally('m', 'p', 'challenger', 'v1.1.0')]\n"
        "kept[0].answered(int(sys.argv[2]), 0, 1.0)\n"
        "board.publish(Report(tallies=kept))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder), str(count)], check=True, timeout=60)


def test_what_one_process_publishes_the_others_read(tmp_path):
    ours, theirs = Board.open(tmp_path, "worker"), Board.open(tmp_path, "control")
    told = report(
        circuits=[("m", "canary", "challenger", "v1.1.0", Circuit(1.0, 1.0, 0.0))],
        stops={"m": Stop(2, "it fails")},
        unlogged=3,
    )
    ours.publish(told)

    [seen] = theirs.read()

    assert (seen.slot, seen.pid, seen.alive) == (ours.slot, os.getpid(), True)
    assert seen.report == told
    assert ours.slot != theirs.slot


def test_a_later_report_replaces_the_earlier_one(tmp_path):
    ours, theirs = Board.open(tmp_path, "worker"), Board.open(tmp_path, "worker")
    for count in range(10):
        ours.publish(report(count))
        assert rows(theirs.read()) == count


def test_the_counts_of_a_dead_worker_stay_and_its_successor_goes_on_with_them(tmp_path):
    reader = Board.open(tmp_path, "control")
    for count in (5, 7, 11):
        dead_worker(tmp_path, count)

    [seen] = reader.read()

    assert (rows([seen]), seen.alive) == (23, False)


def test_what_a_worker_inherits_it_owns_only_when_it_has_published(tmp_path):
    dead_worker(tmp_path, 5)
    heir = Board.open(tmp_path, "worker")
    assert heir.inherited.tallies[0].rows == 5
    heir.close()

    assert rows(Board.open(tmp_path, "control").read()) == 5


def test_the_slot_of_one_role_is_no_heritage_of_another(tmp_path):
    dead_worker(tmp_path, 5)

    shadow = Board.open(tmp_path, "shadow")

    assert shadow.inherited is None
    assert rows(shadow.read()) == 5


@pytest.mark.parametrize("damage", ["newest payload", "newest seal", "both"])
def test_a_torn_report_is_never_read(tmp_path, damage):
    ours = Board.open(tmp_path, "worker")
    ours.publish(report(1))
    ours.publish(report(2))
    newest = max((0, 1), key=lambda which: ours._seals(ours.slot)[which][0])
    for which in (0, 1) if damage == "both" else (newest,):
        start = ours._buffer(ours.slot, which) + (0 if damage == "newest seal" else 40)
        ours._memory[start : start + 6] = b"\xff" * 6

    found = Board.open(tmp_path, "control").read()

    assert rows(found) == (0 if damage == "both" else 1)


def test_a_reader_that_finds_two_torn_buffers_keeps_what_it_knew(tmp_path):
    ours, theirs = Board.open(tmp_path, "worker"), Board.open(tmp_path, "control")
    ours.publish(report(1))
    assert rows(theirs.read()) == 1
    for which in (0, 1):
        start = ours._buffer(ours.slot, which)
        ours._memory[start : start + 60] = b"\xfe" * 60

    assert rows(theirs.read()) == 1


def test_a_successor_writes_into_the_torn_buffer_first(tmp_path):
    first = Board.open(tmp_path, "worker")
    first.publish(report(1))
    first.publish(report(2))
    newest = max((0, 1), key=lambda which: first._seals(first.slot)[which][0])
    start = first._buffer(first.slot, newest) + 40
    first._memory[start : start + 6] = b"\xff" * 6
    first.close()

    heir = Board.open(tmp_path, "worker")
    assert heir.inherited.tallies[0].rows == 1
    whole = heir._buffer(heir.slot, 1 - newest)
    before = heir._memory[whole : whole + 200]
    heir.publish(report(3))

    assert heir._memory[whole : whole + 200] == before
    assert rows(heir.read()) == 3


def test_two_threads_that_read_while_one_writes_never_see_half_a_report(tmp_path):
    ours, stop, wrong = Board.open(tmp_path, "worker"), threading.Event(), []

    def read():
        theirs = Board.open(tmp_path, "control")
        while not stop.is_set():
            for seen in theirs.read():
                wrong.extend(t for t in seen.report.tallies if t.rows != seen.report.unlogged)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for count in range(2000):
        ours.publish(report(count, unlogged=count))
    stop.set()
    for reader in readers:
        reader.join()

    assert wrong == []
    assert rows(ours.read()) == 1999


def test_a_report_that_is_too_long_loses_its_oldest_tallies_and_says_so(tmp_path):
    ours = Board.open(tmp_path, "worker")
    many = [Tally(f"model-{n}", "canary" * 10, "challenger", "v1.1.0", rows=n) for n in range(2000)]
    ours.publish(report(tallies=many))

    [seen] = ours.read()

    assert ours.cut
    assert seen.report.tallies[-1].rows == 1999
    assert 100 < len(seen.report.tallies) < BUFFER
    ours.publish(report())
    assert not ours.cut


def test_a_foreign_or_shortened_file_is_replaced(tmp_path):
    for content in (b"", b"something else", bytes(SIZE)):
        (tmp_path / FILE).write_bytes(content)
        board = Board.open(tmp_path, "worker")
        board.publish(report(7))
        assert rows(Board.open(tmp_path, "control").read()) == 7
        assert (tmp_path / FILE).stat().st_size == SIZE
        board.close()


def test_no_board_is_made_where_the_disk_has_no_room_and_no_draft_stays(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shared.os, "posix_fallocate", full)

    with pytest.raises(OSError, match="No space"):
        Board.open(tmp_path, "worker")
    assert [path.name for path in tmp_path.iterdir()] == ["board.lock"]


def test_more_processes_than_places_are_refused_and_a_free_place_is_taken(tmp_path):
    taken = [Board.open(tmp_path, "worker") for _ in range(SLOTS)]
    with pytest.raises(OSError, match=f"All {SLOTS} places"):
        Board.open(tmp_path, "worker")
    taken[5].close()

    assert Board.open(tmp_path, "worker").slot == 5


def test_a_moment_of_another_boot_makes_no_dead_process_alive(tmp_path):
    dead_worker(tmp_path, 1)
    [seen] = Board.open(tmp_path, "control", clock=lambda: 0.0).read()

    assert not seen.alive


def test_a_report_that_is_too_long_without_any_tally_is_cut_and_its_newest_stops_stay(tmp_path):
    ours = Board.open(tmp_path, "worker")
    stops = {f"model-{n}": Stop(n, "wrong prices " * 150, f"r-{n:04d}") for n in range(5000)}
    ours.publish(report(stops=stops, troubles={"registry": "away " * 30_000}))

    [seen] = ours.read()

    assert ours.cut
    assert len(seen.report.stops) > 500
    assert seen.report.stops["model-4999"] == Stop(4999, "", "r-4999")


@pytest.mark.parametrize("damage", ["removed", "shortened", "replaced", "replaced by a copy"])
def test_a_board_that_is_damaged_while_it_is_used_is_made_anew_by_all(tmp_path, damage):
    clock = Clock()
    boards = [Board.open(tmp_path, "worker", clock) for _ in range(3)]
    for number, board in enumerate(boards):
        board.publish(report(number + 1))
    assert rows(boards[0].read()) == 6

    path = tmp_path / FILE
    content = path.read_bytes()
    if damage == "shortened":
        os.truncate(path, 4096)
    else:
        path.unlink()
    if damage.startswith("replaced"):
        path.write_bytes(content if damage.endswith("copy") else b"something else")
    for number, board in enumerate(boards):
        board.publish(report(number + 1))

    assert [rows(board.read()) for board in boards] == [6, 6, 6]
    assert [board.trouble for board in boards] == [None] * 3
    assert len({board.slot for board in boards}) == 3


def test_a_process_does_not_die_of_a_board_that_is_shortened_under_it(tmp_path):
    code = (
        "import sys, pathlib; from router.board import Board, FILE; from router.report import Report\n"
        "folder = pathlib.Path(sys.argv[1]); board = Board.open(folder, 'worker'); board.publish(Report())\n"
        "(folder / FILE).open('wb').close()\n"
        "board.publish(Report(unlogged=3)); print(board.read()[0].report.unlogged)\n"
    )

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_a_board_whose_folder_was_moved_away_is_used_as_before(tmp_path):
    (tmp_path / "run").mkdir()
    ours, theirs = Board.open(tmp_path / "run", "worker"), Board.open(tmp_path / "run", "worker")
    (tmp_path / "run").rename(tmp_path / "gone")

    ours.publish(report(7))

    assert rows(theirs.read()) == 7
    assert not (tmp_path / "run").exists()


def test_who_finds_no_board_says_so_and_joins_when_there_is_room(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    clock = Clock()
    with monkeypatch.context() as patched:
        patched.setattr(shared.os, "posix_fallocate", full)
        board = Board.join(tmp_path, "worker", clock)
        board.publish(report(7))
        assert (board.read(), board.slot) == ([], -1)
        assert "No space left" in board.trouble
    clock.now += RETRY_S

    board.publish(report(7))

    assert rows(board.read()) == 7
    assert board.trouble is None


def test_a_stopped_process_that_holds_the_lock_keeps_nobody_waiting(tmp_path):
    with (tmp_path / "board.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        board = Board.join(tmp_path, "worker")
        assert time.monotonic() - began < 1.0
        assert "Another process holds it" in board.trouble
