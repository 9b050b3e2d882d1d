"""What an artifact is made of, and how it is read without trust: every byte is checked, nothing followed or run."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from registry.errors import InvalidRecord
from registry.records.base import Record

MANIFEST = "manifest.json"
BENTO_FILE = "model.yaml"  # BentoML's own; written by its store, read by nobody here
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = frozenset({MANIFEST, BENTO_FILE, "custom_objects.pkl"})
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
LARGEST_MANIFEST = 1_000_000  # bytes; real ones have a thousand


class FileEntry(Record, frozen=True, kw_only=True):
    """One file: size in bytes and sha256 in hexadecimal."""

    sha256: str
    size: int


class Manifest(Record, frozen=True, kw_only=True):
    """Every file of an artifact but the manifest itself; its digest names the artifact."""

    files: dict[str, FileEntry]
    format: str = "understudy-artifact-1"

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere, and files that run code when they are loaded."""
        mistakes = file_mistakes(self.files)
        if mistakes:
            raise InvalidRecord.of("The manifest", mistakes, "Name plain files, without folders and without pickle.")


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """Encode the manifest of *files*; the same files give the same bytes."""
    entries = {name: FileEntry(sha256=sha256(content), size=len(content)) for name, content in files.items()}
    return Manifest(files=entries).to_json()


def file_mistakes(files: Iterable[str]) -> list[str]:
    """Say which names cannot be those of an artifact's files."""
    mistakes = [f"{name!r} is no plain file name" for name in files if not FILE_NAME.fullmatch(name)]
    mistakes += [f"{name!r} is taken by the store" for name in files if name in RESERVED]
    pickles = [name for name in files if name.lower().endswith(PICKLES) and name not in RESERVED]
    return mistakes + [f"{name!r} is a pickle, which runs code when it is loaded" for name in pickles]


def verified(folder: Path, manifest: Manifest) -> tuple[dict[str, bytes], list[str]]:
    """Read once and check what was read: nothing can change in between."""
    with os.scandir(folder) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    expected = {*manifest.files, MANIFEST, BENTO_FILE}
    mistakes = [f"{name} was added" for name in sorted(plain.keys() - expected)]
    mistakes += [f"{name} is missing" for name in sorted(manifest.files.keys() - plain.keys())]
    mistakes += [f"{name} is no plain file" for name in sorted(expected & plain.keys()) if not plain[name]]
    files: dict[str, bytes] = {}
    for name, entry in manifest.files.items():
        if plain.get(name):
            size = (folder / name).stat(follow_symlinks=False).st_size
            content = plain_bytes(folder / name, entry.size) if size == entry.size else b""
            if size != entry.size or sha256(content) != entry.sha256:
                mistakes.append(f"{name} was altered ({size} bytes, {entry.size} expected)")
            files[name] = content
    return files, mistakes


def plain_bytes(path: Path, most: int) -> bytes:
    """Read a plain file of at most so many bytes; never follow a link, never wait for a pipe."""
    if not stat.S_ISREG(path.stat(follow_symlinks=False).st_mode):
        raise OSError(errno.EINVAL, f"{path.name} is no plain file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # it may have been swapped since
    with os.fdopen(descriptor, "rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"{path.name} has more than {most:,} bytes")
    return content


def sha256(content: bytes) -> str:
    """Sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
