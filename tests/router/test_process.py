"""A process is alive only if it is the one that was seen, and not a zombie."""

import os
import subprocess
import sys
import time

from router.process import alive, started


def test_this_process_is_alive_and_one_of_another_start_is_not():
    begin = started(os.getpid())

    assert alive(os.getpid(), begin)
    assert alive(os.getpid(), 0)
    assert not alive(os.getpid(), begin + 1)


def test_a_zombie_is_dead_before_anybody_has_asked_for_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert alive(child.pid, 0)
    child.kill()
    deadline = time.monotonic() + 10
    while alive(child.pid, 0) and time.monotonic() < deadline:
        time.sleep(0.01)

    dead = not alive(child.pid, 0)
    child.communicate()

    assert dead
    assert not alive(child.pid, 0)


def test_no_number_of_a_process_is_dead():
    assert [alive(pid, 0) for pid in (0, 2**31, 2**40)] == [False] * 3
