"""One at a time, and nobody waits for long."""

import subprocess
import sys
import time

from flows.background.lock import alone, in_turn

HOLD = """
import sys, time
from pathlib import Path
from flows.background.lock import alone
with alone(Path(sys.argv[1])) as first:
    print(first, flush=True)
    time.sleep(60)
"""


def test_a_lock_is_free_again_once_its_process_is_killed(tmp_path):
    lock = tmp_path / "a" / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with alone(lock) as first:
            assert not first
        assert lock.read_text() == f"{holder.pid}\n"
        holder.kill()

    with alone(lock) as first:
        assert first


def test_who_waits_goes_on_after_a_moment(tmp_path):
    began = time.monotonic()
    with in_turn(tmp_path / "lock"), in_turn(tmp_path / "lock", patience=0.1):
        took = time.monotonic() - began

    assert 0.1 <= took < 2


def test_a_lock_that_cannot_be_made_keeps_nobody(tmp_path):
    (tmp_path / "file").touch()
    with in_turn(tmp_path / "file" / "lock"):
        went_on = True

    assert went_on
