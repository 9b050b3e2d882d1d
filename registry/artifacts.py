"""Bytes of model versions: in BentoML's model store, under a manifest of our own that finds every altered byte."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from registry.errors import ArtifactRefused, InvalidRecord, RegistryError
from registry.records.base import Record, name_mistakes, version_mistakes

MANIFEST = "manifest.json"
BENTO_FILE = "model.yaml"  # BentoML's own; written by its store, read by nobody here
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = frozenset({MANIFEST, BENTO_FILE, "custom_objects.pkl"})


class FileEntry(Record, frozen=True, kw_only=True):
    """One file: size in bytes and sha256 in hexadecimal."""

    sha256: str
    size: int


class Manifest(Record, frozen=True, kw_only=True):
    """Every file of an artifact but the manifest itself; its digest names the artifact."""

    files: dict[str, FileEntry]
    format: str = "understudy-artifact-1"


class ArtifactStore:
    """
    Immutable folders of plain files, one per version.

    Args:
        root: `BENTOML_HOME`; `bentoml models list` shows what is stored.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    def save(self, model: str, version: str, files: Mapping[str, bytes]) -> str:
        """
        Keep *files* for ever; all of them or, if killed on the way, none.

        Returns:
            Digest of the artifact, for `open`. Saving the same bytes again returns the same.

        Raises:
            InvalidRecord: If a name cannot be stored, or there is no file.
            ArtifactRefused: If the version has other bytes already.
            RegistryError: If the folder cannot be written.
        """
        manifest = _manifest(files)
        _refuse_names(model, version, files)
        if self._folder(model, version).exists():
            return self._same(model, version, manifest)
        try:
            with self._staged(model, version, {**files, MANIFEST: manifest}) as staged:
                self._move_in(staged, model, version)
        except FileExistsError:
            return self._same(model, version, manifest)
        except OSError as error:
            raise RegistryError(
                f"The artifact {model}:{version} was not stored.",
                f"{self._root}: {error.strerror or error}.",
                "Free some space, or set UNDERSTUDY_HOME to a folder that you may write to.",
            ) from error
        return _sha256(manifest)

    def open(self, model: str, version: str, digest: str) -> Path:
        """
        Verify every byte.

        Returns:
            The folder.

        Raises:
            ArtifactRefused: If a file is altered, missing or was added, or another
                artifact than *digest* lies there.
        """
        self.load(model, version, digest)
        return self._folder(model, version)

    def read(self, model: str, version: str, name: str, digest: str) -> bytes:
        """Return the bytes of one file, exactly as they were verified; otherwise like `open`."""
        files = self.load(model, version, digest)
        if name not in files:
            raise _refused(model, version, [f"it has no {name}; it has {', '.join(sorted(files))}"])
        return files[name]

    def load(self, model: str, version: str, digest: str) -> dict[str, bytes]:
        """Return all files, exactly as they were verified; otherwise like `open`."""
        folder = self._folder(model, version)
        try:
            raw = (folder / MANIFEST).read_bytes()
            if _sha256(raw) != digest:
                raise _refused(model, version, [f"its manifest is {_sha256(raw)[:12]}, not {digest[:12]}"])
            files, mistakes = _verified(folder, Manifest.from_json(raw))
        except (OSError, msgspec.MsgspecError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise _refused(model, version, [f"{folder} cannot be read: {why}"]) from error
        if mistakes:
            raise _refused(model, version, mistakes)
        return files

    def _folder(self, model: str, version: str) -> Path:
        return self._root / "models" / model / version

    def _same(self, model: str, version: str, manifest: bytes) -> str:
        digest = _sha256(manifest)
        try:
            self.load(model, version, digest)
        except ArtifactRefused as error:
            raise ArtifactRefused(
                f"The artifact {model}:{version} was not stored.",
                f"Other bytes lie there: {error.why}",
                "Artifacts are immutable: store it under the next version.",
            ) from error
        return digest

    @contextmanager
    def _staged(self, model: str, version: str, files: Mapping[str, bytes]) -> Iterator[Path]:
        """Let BentoML write a store of its own first: its own copy into place is not atomic."""
        store_class, create = _bentoml()
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="saving-", dir=self._root) as scratch:
            store = store_class(scratch)
            with create(f"{model}:{version}", _model_store=store, labels={"made-by": "understudy"}) as item:
                for name, content in files.items():
                    Path(item.path_of(name)).write_bytes(content)
            staged = Path(scratch) / model / version
            for path in [*staged.iterdir(), staged]:
                _sync(path)
            yield staged

    def _move_in(self, staged: Path, model: str, version: str) -> None:
        folder = self._folder(model, version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.rename(folder)  # refuses a folder that is there and not empty
        except OSError as error:
            if folder.exists():
                raise FileExistsError(folder) from error
            raise
        latest = staged.parent / "latest"
        latest.write_text(version)
        latest.replace(folder.parent / "latest")
        _sync(folder.parent)


def _bentoml() -> tuple[Any, Any]:
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    import bentoml
    from bentoml._internal.models.model import ModelStore  # no public name takes a folder

    return ModelStore, bentoml.models.create


def _manifest(files: Mapping[str, bytes]) -> bytes:
    entries = {name: FileEntry(sha256=_sha256(content), size=len(content)) for name, content in files.items()}
    return Manifest(files=entries).to_json()


def _refuse_names(model: str, version: str, files: Mapping[str, bytes]) -> None:
    mistakes = [*name_mistakes("Model", model), *version_mistakes("Version", version)]
    mistakes += [f"{name!r} is no plain file name" for name in files if not FILE_NAME.fullmatch(name)]
    mistakes += [f"{name!r} is taken by the store" for name in files if name in RESERVED]
    if not files:
        mistakes.append("it has no files")
    if mistakes:
        raise InvalidRecord.of("The artifact", mistakes, "Name plain files, without folders.")


def _verified(folder: Path, manifest: Manifest) -> tuple[dict[str, bytes], list[str]]:
    """Read once and check what was read: nothing can change in between."""
    with os.scandir(folder) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    expected = {*manifest.files, MANIFEST, BENTO_FILE}
    mistakes = [f"{name} was added" for name in sorted(plain.keys() - expected)]
    mistakes += [f"{name} is missing" for name in sorted(manifest.files.keys() - plain.keys())]
    mistakes += [f"{name} is no plain file" for name in sorted(expected & plain.keys()) if not plain[name]]
    files = {name: (folder / name).read_bytes() for name in manifest.files if plain.get(name)}
    for name, content in files.items():
        entry = manifest.files[name]
        if len(content) != entry.size or _sha256(content) != entry.sha256:
            mistakes.append(f"{name} was altered ({len(content)} bytes, {entry.size} expected)")
    return files, mistakes


def _refused(model: str, version: str, mistakes: list[str]) -> ArtifactRefused:
    return ArtifactRefused(
        f"The artifact {model}:{version} was not loaded.",
        "; ".join(mistakes) + ".",
        "Restore its folder from a backup, or train the version again under the next number.",
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
