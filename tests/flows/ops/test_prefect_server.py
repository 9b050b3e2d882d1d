"""The Prefect server collects its garbage where nobody waits for it."""

import subprocess
import sys

LOOP = """
import threading, time
from flows.ops.prefect_server import collect_aside

class Forgotten:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print(threading.current_thread().name, flush=True)

collect_aside(started_s=0.05, period_s=0.05)
time.sleep(0.2)
for _ in range(3000):
    Forgotten()
print("made", flush=True)
time.sleep(0.5)
"""


def run(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=True).stdout


def test_what_is_forgotten_is_collected_in_the_thread_for_garbage_alone():
    said = run("-c", LOOP).split()

    assert said.count("garbage") == 3000
    assert "made" in said
    assert "MainThread" not in said


def test_it_takes_the_options_of_prefects_own_command():
    assert "--port" in run("-m", "flows.ops.prefect_server", "--help")
