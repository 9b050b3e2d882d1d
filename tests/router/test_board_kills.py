"""
Workers killed at any point, in mid-write too: no torn number is read, none is lost, none counted twice.

The campaign of 1,000 kills: `pytest -m long tests/router/test_board_kills.py -s`.
"""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from router.board import FILE, Board


class Reader:
    """Reads all the time, in a thread of its own."""

    def __init__(self, folder):
        self.board, self.wrong, self.reads = Board.open(folder, "control"), [], 0
        self._most, self._over = {}, threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while not self._over.is_set():
            for seen in self.board.read():
                rows = [tally.rows for tally in seen.report.tallies if tally.model == "m"]
                if rows and (rows != [seen.report.unlogged] or rows[0] < self._most.get(seen.slot, 0)):
                    self.wrong.append((seen.slot, rows, seen.report.unlogged))
                self._most[seen.slot] = max([self._most.get(seen.slot, 0), *rows])
                self.reads += 1
            time.sleep(0.0002)

    def finish(self):
        self._over.set()
        self._thread.join()
        return sum(tally.rows for seen in self.board.read() for tally in seen.report.tallies if tally.model == "m")


def start(folder):
    script = Path(__file__).with_name("board_worker.py")
    worker = subprocess.Popen([sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True)
    inherited = int(worker.stdout.readline().split()[1])
    return worker, inherited


def kill(worker):
    """Kill it; returns the last count that it said to be on the board."""
    worker.kill()
    said = worker.stdout.read().splitlines()
    worker.wait()
    worker.stdout.close()
    # The last line may be torn; the one before it is not.
    whole = [line for line in said[:-1] if line]
    return int(whole[-1]) if whole else 0


def campaign(folder, kills, workers, rng):
    reader, published, lost = Reader(folder), 0, []
    running = [start(folder) for _ in range(workers)]
    for number in range(kills):
        time.sleep(rng.uniform(0.0, 0.05))
        place = number % workers
        worker, inherited = running[place]
        published += max(kill(worker) - inherited, 0)
        running[place] = start(folder)
        if running[place][1] < inherited:
            lost.append((inherited, running[place][1]))
    for worker, inherited in running:
        published += max(kill(worker) - inherited, 0)
    return reader, published, lost


def judged(folder, kills, workers, seed):
    reader, published, lost = campaign(folder, kills, workers, random.Random(seed))
    total = reader.finish()
    print(f"\n{kills} kills, {workers} workers: {reader.reads} reads, {published} counted, {total} on the board")
    assert reader.wrong == []
    assert lost == []
    # A killed worker may have published two counts that it had no time to say.
    assert published <= total <= published + 2 * (kills + workers)
    assert total > kills


def test_workers_killed_while_they_write_lose_nothing_and_tear_nothing(tmp_path):
    judged(tmp_path, kills=8, workers=2, seed=1)
    assert (tmp_path / FILE).exists()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_workers_killed_while_they_write_lose_nothing_and_tear_nothing(tmp_path):
    judged(tmp_path, kills=1000, workers=3, seed=2)
    assert (tmp_path / FILE).exists()
