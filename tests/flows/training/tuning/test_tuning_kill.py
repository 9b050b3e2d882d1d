"""A study whose process is killed, as a machine that loses power would."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from tuning_making import SEARCH, ToyRace, budget, lines

from flows.training.tuning.study import study

PROGRAM = Path(__file__).parent / "tuning_making.py"


def begun(folder, marks):
    return subprocess.Popen([sys.executable, PROGRAM, folder, marks], stdout=subprocess.PIPE, text=True)


def test_after_kill_9_no_finished_trial_is_repeated_and_the_result_is_the_same(tmp_path):
    folder, marks = tmp_path / "kept", tmp_path / "marks"
    marks.mkdir()
    process = begun(folder, marks)
    for _ in range(3000):
        if list(folder.glob("*")) and len(lines(folder)) >= 9:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before, began = lines(folder), len(list(marks.iterdir()))

    said, _ = begun(folder, marks).communicate(timeout=60)

    assert 9 <= len(before) < 30
    assert lines(folder)[: len(before)] == before
    assert sorted(trial["number"] for trial in lines(folder)) == list(range(30))
    assert len(list(marks.iterdir())) - began == 30 - len(before)  # runs of the second process
    assert msgspec.json.decode(said) == [setting.params for setting in study(SEARCH, ToyRace(), budget(30))]
