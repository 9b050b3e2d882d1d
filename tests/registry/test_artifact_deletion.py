"""An artifact that was deleted on purpose says so to whoever asks for it."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from registry_making import NOON

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, InvalidRecord

FILES = {"scorer.json": b'{"a": 1}', "model.ubj": bytes(1000)}


@pytest.fixture
def store(tmp_path):
    store = ArtifactStore(tmp_path / "bentoml")
    for minor in (0, 2, 10):
        store.save("churn", f"v1.{minor}.0", FILES)
    return store


@pytest.fixture
def digest(store):
    return store.save("churn", "v1.0.0", FILES)


def delete(store, version="v1.0.0"):
    return store.delete("churn", version, at=NOON, why="10 newer ones are archived")


def test_the_bytes_go_and_who_loads_them_is_told_since_when_and_what_to_do(store, digest):
    held = store.size("churn", "v1.0.0")

    assert delete(store) == held > 1000
    with pytest.raises(ArtifactRefused) as refusal:
        store.load("churn", "v1.0.0", digest)
    assert refusal.value.why == (
        "Its artifact was deleted by retention on 2026-03-01 12:00 UTC: 10 newer ones are archived."
    )
    assert refusal.value.mend == "Train again: `understudy train churn`."
    assert store.load("churn", "v1.2.0", digest) == FILES
    assert sorted(path.name for path in store._root.iterdir()) == ["deleted", "models"]


def test_deleting_twice_is_deleting_once(store):
    delete(store)

    assert delete(store) == 0
    assert store.size("churn", "v1.0.0") is None


def test_bentoml_goes_on_with_the_newest_that_is_left(store):
    from bentoml._internal.models.model import ModelStore

    delete(store, "v1.10.0")
    bento = ModelStore(store._root / "models")

    assert bento.get("churn:latest").tag.version == "v1.2.0"
    delete(store, "v1.2.0")
    delete(store, "v1.0.0")
    assert bento.list() == []


@pytest.mark.parametrize(("model", "version"), [("churn", "../v1.0.0"), ("..", "v1.0.0"), ("churn", "")])
def test_nothing_outside_of_the_store_can_be_deleted(store, model, version):
    with pytest.raises(InvalidRecord):
        store.delete(model, version, at=NOON, why="w")
    assert store.size("churn", "v1.0.0") is not None


@pytest.mark.parametrize("step", ["rename", "replace"])
def test_a_deletion_that_is_killed_leaves_the_artifact_whole_or_gone_and_can_be_repeated(store, digest, step):
    code = (
        "import os, sys, signal, pathlib; from datetime import datetime, UTC\n"
        "from registry.artifacts import ArtifactStore\n"
        f"pathlib.Path.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "ArtifactStore(pathlib.Path(sys.argv[1])).delete('churn', 'v1.0.0', at=datetime.now(UTC), why='w')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store._root)], check=False, timeout=60)

    assert done.returncode == -9
    assert store.load("churn", "v1.0.0", digest) == FILES
    assert delete(store) > 0
    assert not (store._root / "models" / "churn" / "v1.0.0").exists()


def test_what_killed_processes_have_left_is_swept_up_after_a_while(store):
    for name, age in (("deleting-old", 100_000), ("saving-old", 100_000), ("saving-now", 0), ("kept", 100_000)):
        (store._root / name / "artifact").mkdir(parents=True)
        moment = time.time() - age
        os.utime(store._root / name, (moment, moment))
    store.sweep(older_than=timedelta(days=1))

    assert sorted(path.name for path in store._root.iterdir()) == ["kept", "models", "saving-now"]


def test_who_has_read_it_already_keeps_what_was_read(store, digest):
    files = store.load("churn", "v1.0.0", digest)
    delete(store)

    assert files == FILES
    assert (store._root / "deleted" / "churn" / "v1.0.0").exists()
