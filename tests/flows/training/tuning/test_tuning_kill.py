"""A study whose process is killed, as a machine that loses power would."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from tuning_making import SEARCH, ToyRace, budget, lines

from flows.training.tuning.study import study

PROGRAM = Path(__file__).parent / "tuning_making.py"
TRIALS = list(range(30))


def begun(folder, marks, workers):
    marks.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, PROGRAM, folder, marks, str(workers)], stdout=subprocess.PIPE, text=True)


def killed_after(trials, folder, marks, workers):
    """Trials that were finished then, the runs begun, and the processes that worked for the killed one."""
    process = begun(folder, marks, workers)
    for _ in range(3000):
        if list(folder.glob("toy-*.jsonl")) and len(lines(folder)) >= trials:
            break
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return lines(folder), len(list(marks.iterdir())), children


def test_after_kill_9_no_finished_trial_is_repeated_and_the_result_is_the_same(tmp_path):
    folder, marks = tmp_path / "kept", tmp_path / "marks"
    before, runs, _ = killed_after(9, folder, marks, 1)
    said, _ = begun(folder, marks, 1).communicate(timeout=60)

    assert 9 <= len(before) < 30
    assert lines(folder)[: len(before)] == before
    assert sorted(trial["number"] for trial in lines(folder)) == TRIALS
    assert len(list(marks.iterdir())) - runs == 30 - len(before)
    assert msgspec.json.decode(said) == [setting.params for setting in study(SEARCH, ToyRace(), budget(30))]


@pytest.mark.long
def test_after_kill_9_its_workers_leave_and_none_of_their_finished_trials_is_repeated(tmp_path):
    folder, marks = tmp_path / "kept", tmp_path / "marks"
    before, _, children = killed_after(9, folder, marks, 2)
    _, alive = psutil.wait_procs(children, timeout=10)
    runs = len(list(marks.iterdir()))
    begun(folder, marks, 2).communicate(timeout=60)

    assert len(children) >= 2
    assert alive == []
    assert lines(folder)[: len(before)] == before
    assert sorted(trial["number"] for trial in lines(folder)) == TRIALS
    assert len(list(marks.iterdir())) - runs == 30 - len(before)
