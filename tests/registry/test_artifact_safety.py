"""Foreign and harmful artifacts are refused with the reason, and nothing in them runs; a full disk changes nothing."""

import io
import os
import pickle
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from registry_making import NOON, a_version, install

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, InvalidRecord, StoreUnavailable
from registry.manifest import LARGEST_MANIFEST, FileEntry, sha256
from registry.originals import loaded
from registry.records.base import Record
from registry.records.plan import Guards
from registry.store.registry import Registry

FILES = {"scorer.json": b'{"a": 1}', "model.ubj": bytes(range(256)) * 40}


class Anything(Record, frozen=True, kw_only=True):
    """A manifest that checks nothing, as a forger would write it."""

    files: dict[str, FileEntry]
    format: str = "understudy-artifact-1"


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


class Stateful:
    """Touches a file when its state is set, as skops would do."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __setstate__(self, state):
        Path(state["target"]).touch()


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "bentoml")


def forged(store: ArtifactStore, files: dict[str, bytes]) -> str:
    """Plant an artifact whose manifest and digest agree: only its content gives it away."""
    folder = store.open("churn", "v1.0.0", store.save("churn", "v1.0.0", FILES))
    for name, content in files.items():
        if name.replace(".", "").replace("_", "").isalnum():
            (folder / name).write_bytes(content)
    everything = FILES | files
    entries = {name: FileEntry(sha256=sha256(content), size=len(content)) for name, content in everything.items()}
    raw = Anything(files=entries).to_json()
    (folder / "manifest.json").write_bytes(raw)
    return sha256(raw)


@pytest.mark.parametrize("name", ["custom_objects.pkl", "model.pkl", "saved_model.joblib", "MODEL.PICKLE", "x.dill"])
def test_a_pickle_is_refused_by_its_name_even_if_every_digest_agrees(store, tmp_path, name):
    payload = pickle.dumps(Payload(tmp_path / "ran"))
    digest = forged(store, {name: payload})

    with pytest.raises(ArtifactRefused, match=r"is a pickle|is taken by the store"):
        store.load("churn", "v1.0.0", digest)
    with pytest.raises(InvalidRecord, match=r"is a pickle|is taken by the store"):
        store.save("churn", "v2.0.0", {name: payload})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("payload", [Payload, Stateful])
def test_a_pickle_in_the_place_of_a_pipeline_is_refused_and_does_not_run(tmp_path, payload):
    with pytest.raises(ArtifactRefused, match="is unreadable"):
        loaded(pickle.dumps(payload(tmp_path / "ran")))
    assert not (tmp_path / "ran").exists()


def test_an_unknown_type_in_a_pipeline_is_refused_and_does_not_run(tmp_path):
    import skops.io

    raw = skops.io.dumps({"inner": Stateful(tmp_path / "ran")})

    with pytest.raises(ArtifactRefused, match=r"types that are not trusted: .*Stateful"):
        loaded(raw)
    assert not (tmp_path / "ran").exists()


def test_a_trusted_type_that_was_renamed_to_a_command_is_refused_and_does_not_run(tmp_path):
    import skops.io
    from sklearn.linear_model import LinearRegression

    raw, changed = skops.io.dumps(LinearRegression()), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            said = (
                before.read(name).replace(b"LinearRegression", b"system").replace(b"sklearn.linear_model._base", b"os")
            )
            after.writestr(name, said)

    with pytest.raises(ArtifactRefused, match=r"not trusted: os\.system"):
        loaded(changed.getvalue())


@pytest.mark.parametrize("name", ["../../../outside.json", "/etc/hostname", "deep/down.json", "a\x00b"])
def test_a_manifest_that_names_files_elsewhere_is_refused_before_they_are_opened(store, tmp_path, name):
    (tmp_path / "outside.json").write_bytes(b"secret")
    digest = forged(store, {name: b"secret"})

    with pytest.raises(ArtifactRefused, match="no plain file name"):
        store.load("churn", "v1.0.0", digest)
    with pytest.raises(InvalidRecord, match="no plain file name"):
        store.save("churn", "v2.0.0", {name: b""})


def test_an_endless_manifest_is_refused_without_being_read_whole(store):
    digest = store.save("churn", "v1.0.0", FILES)
    with (store.open("churn", "v1.0.0", digest) / "manifest.json").open("r+b") as opened:
        opened.truncate(50_000_000_000)  # sparse

    started = time.perf_counter()
    with pytest.raises(ArtifactRefused, match=f"more than {LARGEST_MANIFEST:,} bytes"):
        store.load("churn", "v1.0.0", digest)
    assert time.perf_counter() - started < 1


def test_a_file_that_grew_endlessly_is_refused_without_being_read_whole(store):
    digest = store.save("churn", "v1.0.0", FILES)
    with (store.open("churn", "v1.0.0", digest) / "model.ubj").open("r+b") as opened:
        opened.truncate(50_000_000_000)

    with pytest.raises(ArtifactRefused, match=r"model.ubj was altered \(50000000000 bytes"):
        store.load("churn", "v1.0.0", digest)


@pytest.mark.parametrize("name", ["manifest.json", "model.ubj"])
def test_a_pipe_is_refused_and_nobody_waits_for_it(store, name):
    digest = store.save("churn", "v1.0.0", FILES)
    file = store.open("churn", "v1.0.0", digest) / name
    file.unlink()
    os.mkfifo(file)

    with pytest.raises(ArtifactRefused, match="is no plain file"):
        store.load("churn", "v1.0.0", digest)


def test_a_link_in_the_place_of_the_manifest_is_refused(store, tmp_path):
    digest = store.save("churn", "v1.0.0", FILES)
    file = store.open("churn", "v1.0.0", digest) / "manifest.json"
    file.symlink_to(file.rename(tmp_path / "elsewhere"))

    with pytest.raises(ArtifactRefused, match=r"manifest.json is no plain file"):
        store.load("churn", "v1.0.0", digest)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes; really full when it is full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_fills_up_while_an_artifact_is_written_changes_nothing(small_disk):
    store = ArtifactStore(small_disk / "bentoml")
    with Registry.open(f"sqlite:///{small_disk}/registry.sqlite") as registry:
        digest = store.save("churn", "v1.0.0", FILES)
        registry.register_version(a_version(artifact_digest=digest))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="s", actor="ann", reason="r", at=NOON)
        before = registry.versions("churn"), registry.plan("churn"), registry.audit()

        with pytest.raises(StoreUnavailable, match=r"v1.1.0 was not stored.*No space left on device") as refusal:
            store.save("churn", "v1.1.0", FILES | {"forest.npz": os.urandom(3_000_000)})

        assert "Free some space" in refusal.value.mend
        assert refusal.value.exit_code == 3
        assert (registry.versions("churn"), registry.plan("churn"), registry.audit()) == before
        assert store.load("churn", "v1.0.0", digest) == FILES
        assert store.size("churn", "v1.1.0") is None
        assert [path.name for path in (small_disk / "bentoml").iterdir()] == ["models"]
        assert store.save("churn", "v1.1.0", FILES) == digest


def test_a_registry_on_a_full_disk_says_so_and_goes_on_when_there_is_room(small_disk):
    with Registry.open(f"sqlite:///{small_disk}/registry.sqlite") as registry:
        install(registry)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as opened, pytest.raises(OSError, match="No space"):
            while True:
                opened.write(bytes(4096))
        with pytest.raises(StoreUnavailable, match=r"full|I/O"):
            for minor in range(1, 100):
                registry.register_version(a_version(f"v1.{minor}.0"))
        filler.unlink()

        registry.register_version(a_version("v9.0.0"))
        assert registry.verify_audit() == []
        assert len(registry.versions("churn", "production")) == 1


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(store):
    code = (
        "import resource, signal, sys; from pathlib import Path; from registry.artifacts import ArtifactStore\n"
        "from registry.errors import StoreUnavailable\n"
        "store = ArtifactStore(Path(sys.argv[1])); store.save('churn', 'v1.0.0', {'a': b'x'})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try: store.save('churn', 'v1.1.0', {'a': bytes(100_000)})\n"
        "except StoreUnavailable as refusal: print(refusal.why)"
    )
    words = [sys.executable, "-c", code, str(store._root)]
    done = subprocess.run(words, check=True, timeout=60, capture_output=True, text=True)

    assert "File too large" in done.stdout
    assert sorted(path.name for path in (store._root / "models" / "churn").iterdir()) == ["latest", "v1.0.0"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 65536
