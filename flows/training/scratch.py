"""What a retraining has finished so far, on disk: a killed one goes on from there."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from flows.config.model import ModelConfig
from flows.data.gather import Extracted
from flows.training.contest import Entry
from registry.home import Settings
from registry.records.version import ModelVersion

FOLDER = "studies"
FORGOTTEN_S = 7 * 86_400.0
FRESH = timedelta(days=1)
"""After that, newer rows are worth more than the time that an attempt has spent."""


class Begun(msgspec.Struct, frozen=True):
    """
    What makes the finished parts of two attempts fit together.

    Attributes:
        key: Digest of the configuration and of the champion.
        as_of: The moment that the first attempt has played.
    """

    key: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Scratch:
    """Folder of one retraining event."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, event_id: str) -> "Scratch":
        """The folder of *event_id*; it need not exist."""
        return cls(settings.home / FOLDER / event_id)

    @property
    def journal(self) -> Path:
        """Where the study writes each trial down."""
        return self.folder / "trials"

    @property
    def exists(self) -> bool:
        """Whether an attempt has left something."""
        return (self.folder / "begun.json").exists()

    def begin(self, key: str, as_of: datetime) -> Begun:
        """Go on with what fits to *key* and is fresh; anything else is removed."""
        known = self._begun()
        if known is not None and known.key == key and _fresh(known, as_of):
            return known
        self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = Begun(key, as_of)
        self._keep("begun.json", msgspec.json.encode(begun))
        return begun

    def rows(self, extract: Callable[[], Extracted]) -> Extracted:
        """Rows of an earlier attempt, or those that *extract* gives: then they are kept."""
        origin, table = self.folder / "origin.json", self.folder / "rows.parquet"
        if origin.exists():
            said = msgspec.json.decode(origin.read_bytes(), type=dict[str, Any])
            return Extracted(frame=pl.read_parquet(table), **said)
        found = extract()
        found.frame.write_parquet(table, compression="lz4")
        said = {one.name: getattr(found, one.name) for one in fields(found) if one.name != "frame"}
        self._keep("origin.json", msgspec.json.encode(said))
        return found

    def entries(self, decide: Callable[[], Sequence[Entry]]) -> tuple[Entry, ...]:
        """What was decided before, or what *decide* gives: then it is kept."""
        path = self.folder / "entries.json"
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=tuple[Entry, ...])
        found = tuple(decide())
        self._keep("entries.json", msgspec.json.encode(found))
        return found

    def remove(self) -> None:
        """Forget it all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begun(self) -> Begun | None:
        try:
            return msgspec.json.decode((self.folder / "begun.json").read_bytes(), type=Begun)
        except (OSError, msgspec.DecodeError):
            return None

    def _keep(self, name: str, content: bytes) -> None:
        draft = self.folder / f"{name}.part"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)


def key_of(config: ModelConfig, champion: ModelVersion | None) -> str:
    """Name what the finished parts depend on, beside the rows."""
    said = f"{config.model_dump_json()}\0{champion.version if champion else ''}"
    return hashlib.sha256(said.encode()).hexdigest()


def left_behind(settings: Settings, as_of: datetime) -> list[str]:
    """Events whose attempts were killed not long before *as_of*, the newest first; older ones are forgotten."""
    found: list[tuple[float, str]] = []
    for mark in (settings.home / FOLDER).glob("*/begun.json"):
        scratch = Scratch(mark.parent)
        begun = scratch._begun()
        if begun is not None and _fresh(begun, as_of):
            found.append((mark.stat().st_mtime, scratch.folder.name))
        elif time.time() - mark.stat().st_mtime > FORGOTTEN_S:
            scratch.remove()
    return [name for _, name in sorted(found, reverse=True)]


def _fresh(begun: Begun, as_of: datetime) -> bool:
    return abs(as_of - begun.as_of) <= FRESH
