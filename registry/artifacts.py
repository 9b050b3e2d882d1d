"""Bytes of model versions: in BentoML's model store, under a manifest of our own that finds every altered byte."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from registry.errors import ArtifactRefused, InvalidRecord, StoreUnavailable
from registry.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    Manifest,
    file_mistakes,
    manifest_of,
    plain_bytes,
    sha256,
    verified,
)
from registry.records.base import Record, name_mistakes, utc, version_mistakes
from registry.records.version import version_key


class Grave(Record, frozen=True, kw_only=True):
    """What is left of an artifact that was deleted on purpose."""

    at: datetime
    why: str


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
            StoreUnavailable: If it cannot be written, e.g. to a full disk; nothing is left of it.
        """
        _refuse_names(model, version, files)
        manifest = manifest_of(files)
        if self._folder(model, version).exists():
            return self._same(model, version, manifest)
        try:
            with self._staged(model, version, {**files, MANIFEST: manifest}) as staged:
                self._move_in(staged, model, version)
        except FileExistsError:
            return self._same(model, version, manifest)
        except OSError as error:
            raise StoreUnavailable(
                f"The artifact {model}:{version} was not stored.",
                f"{self._root}: {error.strerror or error}.",
                "Free some space, or set UNDERSTUDY_HOME to a folder that you may write to.",
            ) from error
        return sha256(manifest)

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
            raw = plain_bytes(folder / MANIFEST, LARGEST_MANIFEST)
            if sha256(raw) != digest:
                raise _refused(model, version, [f"its manifest is {sha256(raw)[:12]}, not {digest[:12]}"])
            files, mistakes = verified(folder, Manifest.from_json(raw))
        except InvalidRecord as error:
            raise _refused(model, version, [error.why.removesuffix(".")]) from error
        except (OSError, msgspec.MsgspecError) as error:
            grave = self.grave(model, version)
            if grave is not None:
                raise _buried(model, version, grave) from error
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise _refused(model, version, [f"{folder} cannot be read: {why}"]) from error
        if mistakes:
            raise _refused(model, version, mistakes)
        return files

    def size(self, model: str, version: str) -> int | None:
        """Bytes on disk; None if there is no artifact."""
        try:
            with os.scandir(self._folder(model, version)) as entries:
                return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        except OSError:
            return None

    def delete(self, model: str, version: str, *, at: datetime, why: str) -> int:
        """
        Delete the files for good, and remember when and why; who loads it later is told.

        Killed on the way, it leaves the artifact whole or gone, and can be repeated.

        Returns:
            Bytes that were freed; 0 if there was nothing.

        Raises:
            InvalidRecord: If the names cannot be those of an artifact.
            StoreUnavailable: If the folder cannot be written.
        """
        _refuse_names(model, version, {"any": b""})
        freed, folder = self.size(model, version), self._folder(model, version)
        if freed is None:
            return 0
        try:
            with tempfile.TemporaryDirectory(prefix="deleting-", dir=self._root) as scratch:
                self._dig(model, version, Grave(at=utc(at), why=why), Path(scratch))
                folder.rename(Path(scratch) / "artifact")
                self._point_to_newest(model, version, Path(scratch))
        except FileNotFoundError:
            return 0  # another process was first
        except OSError as error:
            raise StoreUnavailable(
                f"The artifact {model}:{version} was not deleted.",
                f"{self._root}: {error.strerror or error}.",
                "Set UNDERSTUDY_HOME to a folder that you may write to.",
            ) from error
        return freed

    def sweep(self, *, older_than: timedelta) -> None:
        """Remove what killed processes have left behind; younger folders may belong to one that is at work."""
        until = time.time() - older_than.total_seconds()
        for folder in (*self._root.glob("saving-*"), *self._root.glob("deleting-*")):
            with suppress(OSError):
                if folder.stat().st_mtime < until:
                    shutil.rmtree(folder)

    def grave(self, model: str, version: str) -> Grave | None:
        """When and why the artifact was deleted; None if it was not."""
        with suppress(OSError, msgspec.MsgspecError):
            return Grave.from_json(plain_bytes(self._grave(model, version), LARGEST_MANIFEST))
        return None

    def _folder(self, model: str, version: str) -> Path:
        return self._root / "models" / model / version

    def _grave(self, model: str, version: str) -> Path:
        return self._root / "deleted" / model / version

    def _dig(self, model: str, version: str, grave: Grave, scratch: Path) -> None:
        place, draft = self._grave(model, version), scratch / "grave"
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(grave.to_json())
        _sync(draft)
        draft.replace(place)
        _sync(place.parent)

    def _point_to_newest(self, model: str, gone: str, scratch: Path) -> None:
        """BentoML opens what `latest` names when nobody names a version."""
        latest = self._folder(model, "latest")
        with suppress(FileNotFoundError):
            if latest.read_text() != gone:
                return None
        left = [path.name for path in latest.parent.iterdir() if path.is_dir() and not version_mistakes("", path.name)]
        if not left:
            return latest.unlink(missing_ok=True)
        (scratch / "latest").write_text(max(left, key=version_key))
        (scratch / "latest").replace(latest)
        return None

    def _same(self, model: str, version: str, manifest: bytes) -> str:
        digest = sha256(manifest)
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


def _refuse_names(model: str, version: str, files: Mapping[str, bytes]) -> None:
    mistakes = [*name_mistakes("Model", model), *version_mistakes("Version", version), *file_mistakes(files)]
    if not files:
        mistakes.append("it has no files")
    if mistakes:
        raise InvalidRecord.of("The artifact", mistakes, "Name plain files, without folders and without pickle.")


def _refused(model: str, version: str, mistakes: list[str]) -> ArtifactRefused:
    return ArtifactRefused(
        f"The artifact {model}:{version} was not loaded.",
        "; ".join(mistakes) + ".",
        "Restore its folder from a backup, or train the version again under the next number.",
    )


def _buried(model: str, version: str, grave: Grave) -> ArtifactRefused:
    return ArtifactRefused(
        f"The artifact {model}:{version} was not loaded.",
        f"Its artifact was deleted by retention on {grave.at:%Y-%m-%d %H:%M} UTC: {grave.why}.",
        f"Train again: `understudy train {model}`.",
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
