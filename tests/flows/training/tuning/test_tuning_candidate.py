"""Whole trainings: interrupted, on other threads, in processes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TRAIN = """
import hashlib, sys
from pathlib import Path
from training_making import NOW, make_config, make_frame
from flows.training.candidate import train_candidate

if __name__ == "__main__":
    threads, journal, trials, workers = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    config = make_config(training={"trials": trials, "threads": threads, "workers": workers, "families": ["xgboost"]})
    done = train_candidate(
        config,
        make_frame(4000),
        champion=None,
        champion_scorer=None,
        seed=5,
        as_of=NOW,
        journal=Path(journal) if journal else None,
    )
    for name in sorted(done.files):
        print(name, hashlib.sha256(done.files[name]).hexdigest())
    print(done.params, [entry.losses for entry in done.entries])
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "program.py").write_text(TRAIN)
    return tmp_path / "program.py"


def started(program, threads=1, journal="", trials=12, workers=1):
    place = os.environ | {"PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, program, str(threads), str(journal), str(trials), str(workers)]
    return subprocess.Popen(command, env=place, stdout=subprocess.PIPE, text=True)


def said(process):
    out, _ = process.communicate(timeout=250)
    assert process.returncode == 0
    return out


def kept(folder, pattern):
    return [line for file in folder.glob(pattern) for line in file.read_bytes().split(b"\n") if line]


@pytest.mark.long
def test_the_same_rows_configuration_and_seed_give_the_same_bytes_whatever_the_threads(program):
    first, *others = [said(started(program, threads)) for threads in (1, 1, 2, 4)]

    assert "model.ubj" in first
    assert [hashlib.sha256(other.encode()).hexdigest() for other in others] == [
        hashlib.sha256(first.encode()).hexdigest()
    ] * 3


@pytest.mark.long
@pytest.mark.parametrize("stage", ["xgboost-*.jsonl", "judged.jsonl"])
def test_a_training_that_is_killed_goes_on_without_repeating_what_it_has_finished(program, tmp_path, stage):
    folder = tmp_path / "kept"
    process = started(program, journal=folder, trials=40)
    for _ in range(10_000):
        if process.poll() is not None or len(kept(folder, stage)) >= 4:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = [kept(folder, pattern) for pattern in ("xgboost-*.jsonl", "judged.jsonl")]
    resumed = said(started(program, journal=folder, trials=40))
    after = [kept(folder, pattern) for pattern in ("xgboost-*.jsonl", "judged.jsonl")]

    assert len(before[0]) + len(before[1]) < len(after[0]) + len(after[1])
    assert [late[: len(early)] for early, late in zip(before, after, strict=True)] == before
    assert len(after[0]) == 40
    assert len(set(after[1])) == len(after[1])
    assert resumed == said(started(program, trials=40))


@pytest.mark.long
def test_a_training_runs_its_trials_in_processes(program, tmp_path):
    out = said(started(program, journal=tmp_path / "kept", trials=8, workers=2))

    assert "model.ubj" in out
    assert len(kept(tmp_path / "kept", "xgboost-*.jsonl")) == 8
