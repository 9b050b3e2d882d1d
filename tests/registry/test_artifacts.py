"""Artifacts are immutable, whole, and refused when a single byte is wrong."""

import os
import subprocess
import sys
import time

import pytest

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, InvalidRecord, RegistryError

FILES = {"scorer.json": b'{"a": 1}', "model.ubj": bytes(range(256)) * 40, "card.md": b""}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "bentoml")


@pytest.fixture
def digest(store):
    return store.save("churn", "v1.0.0", FILES)


def test_what_was_saved_is_opened(store, digest):
    folder = store.open("churn", "v1.0.0", digest)

    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert store.load("churn", "v1.0.0", digest) == FILES
    assert store.read("churn", "v1.0.0", "model.ubj", digest) == FILES["model.ubj"]


def test_bentoml_finds_the_model(store, digest):
    from bentoml._internal.models.model import ModelStore

    bento = ModelStore(store._root / "models")
    assert [str(model.tag) for model in bento.list()] == ["churn:v1.0.0"]
    assert bento.get("churn:latest").tag.version == "v1.0.0"
    assert bento.get("churn").path == str(store.open("churn", "v1.0.0", digest))


def test_the_newest_save_is_bentomls_latest(store, digest):
    from bentoml._internal.models.model import ModelStore

    store.save("churn", "v1.1.0", FILES)
    assert ModelStore(store._root / "models").get("churn:latest").tag.version == "v1.1.0"


def test_the_same_bytes_have_the_same_digest_in_any_order(store, digest):
    again = dict(reversed(FILES.items()))

    assert len(digest) == 64
    assert store.save("churn", "v1.0.0", again) == digest
    assert store.save("churn", "v1.0.1", again) == digest
    assert store.save("churn", "v1.0.2", FILES | {"card.md": b"x"}) != digest


def test_other_bytes_under_the_same_name_are_refused_and_the_first_stay(store, digest):
    with pytest.raises(ArtifactRefused, match="Other bytes lie there"):
        store.save("churn", "v1.0.0", FILES | {"card.md": b"another"})
    assert store.load("churn", "v1.0.0", digest) == FILES


def _flip(folder):
    raw = bytearray((folder / "model.ubj").read_bytes())
    raw[5000] ^= 1
    (folder / "model.ubj").write_bytes(raw)


def _swap_for_link(folder):
    elsewhere = (folder / "card.md").rename(folder.parent / "card.md")
    (folder / "card.md").symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_flip, r"model\.ubj was altered"),
        (lambda folder: (folder / "card.md").write_bytes(b"x"), r"card\.md was altered \(1 bytes, 0 expected\)"),
        (lambda folder: (folder / "card.md").unlink(), r"card\.md is missing"),
        (lambda folder: (folder / "evil.py").touch(), r"evil\.py was added"),
        (lambda folder: (folder / "deep").mkdir(), "deep was added"),
        (lambda folder: (folder / "custom_objects.pkl").touch(), "custom_objects"),
        (_swap_for_link, r"card\.md is no plain file"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"{}"), "its manifest is"),
        (lambda folder: (folder / "manifest.json").unlink(), "cannot be read: No such file"),
    ],
    ids=["flipped bit", "altered", "missing", "extra", "folder", "pickle", "link", "manifest", "no manifest"],
)
def test_an_artifact_that_was_touched_is_refused(store, digest, harm, why):
    harm(store.open("churn", "v1.0.0", digest))

    for question in (store.open, store.load, lambda *tag: store.read(*tag[:2], "scorer.json", tag[2])):
        with pytest.raises(ArtifactRefused, match=why):
            question("churn", "v1.0.0", digest)
    with pytest.raises(ArtifactRefused, match="Other bytes lie there"):
        store.save("churn", "v1.0.0", FILES)


def test_a_forged_manifest_does_not_help(store, digest, tmp_path):
    other = ArtifactStore(tmp_path / "elsewhere")
    forged = other.open("churn", "v1.0.0", other.save("churn", "v1.0.0", FILES | {"card.md": b"forged"}))
    folder = store.open("churn", "v1.0.0", digest)
    for name in ("manifest.json", "card.md"):
        (folder / name).write_bytes((forged / name).read_bytes())

    with pytest.raises(ArtifactRefused, match=f"not {digest[:12]}"):
        store.open("churn", "v1.0.0", digest)


def test_an_unknown_artifact_or_file_is_refused(store, digest):
    with pytest.raises(ArtifactRefused, match="No such file"):
        store.open("churn", "v9.0.0", digest)
    with pytest.raises(ArtifactRefused, match=r"no nothing\.txt; it has card\.md, model\.ubj, scorer\.json"):
        store.read("churn", "v1.0.0", "nothing.txt", digest)


@pytest.mark.parametrize(
    "name", ["../evil", "a/b", "", ".hidden", "manifest.json", "model.yaml", "custom_objects.pkl", "a\x00", "a\n"]
)
def test_a_name_that_is_no_plain_file_is_refused(store, name):
    with pytest.raises(InvalidRecord, match="The artifact was refused"):
        store.save("churn", "v1.0.0", {name: b""})


def test_all_mistakes_are_named_at_once(store):
    with pytest.raises(InvalidRecord, match="3 mistakes"):
        store.save("Churn", "1.0", {})


@pytest.mark.parametrize(("model", "version"), [("../..", "v1.0.0"), ("churn", "../../x")])
def test_a_name_that_leads_out_of_the_store_is_refused(store, digest, model, version):
    with pytest.raises(RegistryError):
        store.open(model, version, digest)


def test_a_small_artifact_is_verified_within_ten_milliseconds(store):
    digest = store.save("churn", "v1.0.0", FILES | {"model.ubj": os.urandom(1_000_000)})
    times = []
    for _ in range(5):
        started = time.perf_counter()
        store.open("churn", "v1.0.0", digest)
        times.append(time.perf_counter() - started)

    assert min(times) < 0.010


def test_opening_never_loads_bentoml(store, digest):
    code = (
        "import sys; from pathlib import Path; from registry.artifacts import ArtifactStore;"
        "ArtifactStore(Path(sys.argv[1])).open('churn', 'v1.0.0', sys.argv[2]); sys.exit('bentoml' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(store._root), digest]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_a_killed_save_leaves_nothing_and_can_be_repeated(store):
    code = (
        "import os, sys, signal; from pathlib import Path; import registry.artifacts as a\n"
        "a._sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "a.ArtifactStore(Path(sys.argv[1])).save('churn', 'v1.0.0', {'card.md': b'x'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store._root)], check=False, timeout=60)

    assert done.returncode == -9
    assert not (store._root / "models").exists()
    digest = store.save("churn", "v1.0.0", FILES)
    assert store.load("churn", "v1.0.0", digest) == FILES


def test_four_processes_that_save_one_version_agree(store):
    code = (
        "import sys; from pathlib import Path; from registry.artifacts import ArtifactStore\n"
        "from registry.errors import ArtifactRefused\n"
        "try: print(ArtifactStore(Path(sys.argv[1])).save('churn', 'v1.0.0', {'card.md': sys.argv[2].encode()}))\n"
        "except ArtifactRefused: print('refused')"
    )
    peers = [
        subprocess.Popen([sys.executable, "-c", code, str(store._root), content], stdout=subprocess.PIPE, text=True)
        for content in ("same", "same", "other", "other")
    ]
    said = [peer.communicate(timeout=60)[0].strip() for peer in peers]

    assert sorted(word == "refused" for word in said) == [False, False, True, True]
    (digest,) = set(said) - {"refused"}
    assert store.read("churn", "v1.0.0", "card.md", digest) in (b"same", b"other")


def test_saving_leaves_no_scratch_behind(store, digest):
    assert sorted(path.name for path in store._root.iterdir()) == ["models"]


def test_a_store_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RegistryError, match="was not stored"):
        ArtifactStore(tmp_path / "file").save("churn", "v1.0.0", FILES)
