"""What a study has found so far, on disk: one line per finished trial, so that a kill costs only what was running."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from flows.training.tuning.plan import Tuning
from flows.training.tuning.trials import Search, Trial

T = TypeVar("T")


class Judged(msgspec.Struct, frozen=True):
    """The loss of one setting on one fold."""

    key: str
    loss: float


class Made(msgspec.Struct, frozen=True):
    """Parameters that were worked out after the trials; None if there was nothing to try."""

    key: str
    params: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lines:
    """
    A file to which lines of JSON are only added; none if it has no *path*.

    A line that a kill has cut off is left out when it is read, and closed before the next.
    """

    path: Path | None

    def read(self, kind: type[T]) -> list[T]:
        """Read all whole lines."""
        if self.path is None or not self.path.exists():
            return []
        found: list[T] = []
        for line in self.path.read_bytes().split(b"\n"):
            try:
                found.append(msgspec.json.decode(line, type=kind))
            except msgspec.MsgspecError:
                continue
        return found

    def add(self, record: msgspec.Struct) -> None:
        """Write one line, and wait until the disk has it."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(b"\n" + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def digest(*parts: Any) -> str:
    """Name what depends on *parts*, on any machine."""
    raw = msgspec.json.encode(parts, order="sorted", enc_hook=str)
    return hashlib.sha256(raw).hexdigest()[:24]


def study_name(tuning: Tuning, search: Search, known: Sequence[Mapping[str, Any]]) -> str:
    """Name a study by all that it depends on: one with another name is never resumed."""
    return _plain(f"{search.family}-{digest(tuning.basis, search, known, tuning.pruning)}")


def trials_of(tuning: Tuning, name: str) -> Lines:
    """Open the finished trials of a study."""
    return Lines(tuning.folder / f"{name}.jsonl" if tuning.folder else None)


def finished(lines: Lines) -> dict[int, Trial]:
    """Read finished trials by number."""
    return {trial.number: trial for trial in lines.read(Trial)}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Losses of settings on folds: each is worked out once, even if a kill comes between."""

    lines: Lines
    basis: str
    known: dict[str, float]

    @classmethod
    def of(cls, tuning: Tuning) -> "Ledger":
        """Open that of *tuning*; without a folder nothing is kept."""
        lines = Lines(tuning.folder / "judged.jsonl" if tuning.folder else None)
        return cls(lines, tuning.basis, {one.key: one.loss for one in lines.read(Judged)})

    def loss(self, what: object, judge: Callable[[], float]) -> float:
        """Look *what* was judged up, or judge it now."""
        key = digest(self.basis, what)
        if self.lines.path is None or key not in self.known:
            self.known[key] = judge()
            self.lines.add(Judged(key, self.known[key]))
        return self.known[key]


def made_once(tuning: Tuning, what: object, make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Look up which parameters *what* has led to, or work them out now."""
    lines, key = Lines(tuning.folder / "slower.jsonl" if tuning.folder else None), digest(tuning.basis, what)
    for one in lines.read(Made):
        if one.key == key:
            return one.params
    made = Made(key, make())
    lines.add(made)
    return made.params


def _plain(name: str) -> str:
    """As the name of a file; the family may be `module:Class`."""
    return "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name)
