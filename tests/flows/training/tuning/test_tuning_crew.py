"""Trials elsewhere: other processes, a Dask cluster, a database that several share."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from postgres_making import NOT_FOUND, fresh_database, started_server
from tuning_making import SEARCH, START, ToyRace, budget, lines

from flows.errors import DataError, Unreachable
from flows.training.families.family import Setting
from flows.training.tuning import crew
from flows.training.tuning.devices import gpus, refuse_absent
from flows.training.tuning.errors import WorkerLost
from flows.training.tuning.luggage import packed, unpacked
from flows.training.tuning.shared import join
from flows.training.tuning.study import explored, known_settings, study

FIRST = Setting("toy", START | {"depth": 2})


@dataclass(frozen=True)
class Bound:
    """Cannot be handed on."""

    lock: Any = field(default_factory=threading.Lock)


class Deadly:
    """Ends its process in the middle of a trial."""

    def run(self, params, watch=None):
        os._exit(9)


def seen(marks):
    """Processes that have run trials, and how often; their nice values."""
    names = [mark.name.split("-")[0] for mark in marks.iterdir()]
    return names, {int(mark.read_text()) for mark in marks.iterdir()}


def test_processes_run_all_trials_at_low_priority_and_none_twice(tmp_path):
    marks, kept = tmp_path / "marks", tmp_path / "kept"
    marks.mkdir()
    race = ToyRace(seconds=0.05, marks=marks)
    found = study(SEARCH, race, budget(24, workers=2, folder=kept, known=(FIRST,)))
    names, nice = seen(marks)

    assert sorted(trial["number"] for trial in lines(kept)) == list(range(24))
    assert len(names) == 24 and len(set(names)) == 2 and str(os.getpid()) not in names
    assert nice == {10}
    assert found[0].params["kind"] == "a"


def test_trials_that_run_at_once_are_not_alike(tmp_path):
    given = budget(12, workers=3)
    tried = [
        tuple(trial.params.values()) for trial in explored(SEARCH, ToyRace(), given, known_settings(SEARCH, given))
    ]

    assert len(set(tried)) == 12


def test_arrays_of_a_fold_are_files_that_processes_share():
    with packed(ToyRace(noise=np.arange(1000.0))) as folder:
        race = unpacked(folder)

        assert folder.stat().st_mode & 0o077 == 0
        assert np.array_equal(race.noise, np.arange(1000.0))
        assert isinstance(race.noise.base, np.memmap) or not race.noise.flags.owndata


def test_what_cannot_be_handed_to_another_process_is_refused():
    with pytest.raises(DataError, match=r"cannot be handed to another process.*training\.workers to 1"):
        study(SEARCH, Bound(), budget(4, workers=2))


def test_a_worker_that_dies_is_named_and_what_was_finished_is_kept(tmp_path):
    with pytest.raises(WorkerLost, match=r"Lower training\.workers"):
        study(SEARCH, Deadly(), budget(20, workers=2, folder=tmp_path))

    assert not list(tmp_path.glob("understudy-fold-*"))


def test_a_gpu_that_is_not_there_is_refused():
    if gpus():
        pytest.skip("this machine has one")
    with pytest.raises(DataError, match=r"training\.device"):
        refuse_absent("cuda")


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    monkeypatch.setattr(crew, "JOIN_S", 0.5)
    with pytest.raises(Unreachable, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        study(SEARCH, ToyRace(), budget(4, engine="dask", dask="tcp://127.0.0.1:9"))


def test_a_storage_that_does_not_answer_is_refused(tmp_path):
    with pytest.raises(Unreachable, match=r"training\.storage does not answer"):
        study(SEARCH, ToyRace(), budget(4, engine="storage", storage=f"sqlite:///{tmp_path}/none/there.sqlite"))


@pytest.mark.long
def test_a_dask_cluster_runs_all_trials_and_none_twice(tmp_path):
    marks, kept = tmp_path / "marks", tmp_path / "kept"
    marks.mkdir()
    study(SEARCH, ToyRace(marks=marks), budget(20, engine="dask", workers=2, folder=kept, known=(FIRST,)))
    names, _ = seen(marks)

    assert sorted(trial["number"] for trial in lines(kept)) == list(range(20))
    assert len(names) == 20 and str(os.getpid()) not in names


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """Address of an empty storage."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.sqlite"
        return
    with started_server() as server:
        if server is None:
            pytest.skip(NOT_FOUND)
        with fresh_database(server) as made:
            yield made


@pytest.mark.long
def test_who_joins_a_shared_study_takes_some_of_its_trials(tmp_path, url):
    marks = tmp_path / "marks"
    marks.mkdir()
    given = budget(16, engine="storage", storage=url, folder=tmp_path / "kept", known=(FIRST,), clock=lambda: 0.0)
    race = ToyRace(seconds=0.3, marks=marks)
    leader = threading.Thread(target=study, args=(SEARCH, race, given))
    leader.start()
    while leader.is_alive() and not (folders := [one.parent for one in (tmp_path / "kept").glob("toy-*/race")]):
        time.sleep(0.01)
    command = [sys.executable, "-m", "flows.training.tuning.worker", folders[0], "--trials", "16", "--storage", url]
    place = {"PYTHONPATH": str(Path(__file__).parent)}
    worker = subprocess.run(command, env=os.environ | place, capture_output=True, text=True, timeout=120)
    leader.join()
    names, _ = seen(marks)
    found = explored(SEARCH, race, given, known_settings(SEARCH, given))

    assert worker.returncode == 0, worker.stderr
    assert len(set(names)) == 2
    assert 16 <= len(names) <= 17
    assert len(found) == 16
    assert join(url, folders[0].name, folders[0], trials=16, polite=False) >= 16
