"""Check a copy of the trail by itself: nothing in it was edited, deleted, inserted, reordered or cut off."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec

from registry.errors import InvalidRecord, RegistryError, StoreUnavailable
from registry.records.audit import AuditEntry
from registry.trail.chain import FIRST, altered, breaks, digest_of, name_of
from registry.trail.export import COLUMNS, SEAL, Seal, cells

_JSON_COLUMNS = ("before", "after")
_NO_ENTRY = (ValueError, TypeError, msgspec.MsgspecError, RegistryError)


class Copy(NamedTuple):
    """
    What a copy of the trail comes to.

    Attributes:
        findings: One sentence per break; empty if it is intact.
        entries: How many entries could be read.
        hashes: Hash by sequence.
        seal: Its last line, if that could be read.
    """

    findings: list[str]
    entries: int
    hashes: dict[int, str]
    seal: Seal | None


def check_copy(path: Path) -> Copy:
    """
    Read a copy and compute every hash anew.

    Whoever can edit the file can also compute all its hashes anew, and its seal: compare the seal's head with the
    trail, or with a copy that somebody else keeps.

    Args:
        path: Ends in ".csv" for a table; JSON lines otherwise.

    Raises:
        StoreUnavailable: If it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _checked(_table(file) if path.suffix == ".csv" else _lines(file))
    except (OSError, UnicodeDecodeError) as error:
        why = f"{error.strerror if isinstance(error, OSError) else error}."
        raise StoreUnavailable(
            f"{path} was not checked.", why, "Name a file that `understudy audit export` wrote."
        ) from error


def _checked(lines: Iterator[tuple[int, AuditEntry | Seal | None]]) -> Copy:
    findings: list[str] = []
    found: list[AuditEntry] = []
    seal: Seal | None = None
    for number, line in lines:
        if line is None:
            findings.append(f"Line {number} was altered after it was written: it cannot be read any more.")
        elif seal is not None:
            findings.append(f"Line {number} comes after the seal: it was added.")
        elif isinstance(line, Seal):
            seal = line
        else:
            found.append(line)
    hashes = {entry.sequence: entry.hash for entry in found}
    return Copy(findings + _chain(found, seal) + _sealed(found, seal), len(found), hashes, seal)


def _chain(found: list[AuditEntry], seal: Seal | None) -> list[str]:
    """A copy of all models is without gaps; that of one model grows."""
    gaps = seal is not None and seal.model is not None
    late = seal is not None and (seal.since is not None or gaps)
    findings: list[str] = []
    for place, entry in enumerate(found):
        before = found[place - 1] if place else None
        if before is None:
            findings += altered(entry) if late else breaks(entry, 0, FIRST)
        elif gaps and entry.sequence > before.sequence + 1:
            findings += altered(entry)
        else:
            findings += breaks(entry, before.sequence, before.hash)
        findings += _foreign(entry, seal)
    return findings


def _foreign(entry: AuditEntry, seal: Seal | None) -> list[str]:
    if seal is not None and seal.model is not None and entry.model != seal.model:
        return [f"{name_of(entry)} is of {entry.model!r}, in a copy of {seal.model!r}: it was slipped in."]
    return []


def _sealed(found: list[AuditEntry], seal: Seal | None) -> list[str]:
    if seal is None:
        return ["The copy has no seal in its last line: its end was cut off."]
    findings = []
    if seal.entries != len(found):
        findings.append(f"The copy has {len(found)} entries, its seal says {seal.entries}.")
    elif seal.content != digest_of(entry.hash for entry in found):
        findings.append("The entries are not those that were sealed.")
    last = found[-1] if found else None
    if last is not None and last.sequence == seal.head_sequence and last.hash != seal.head_hash:
        findings.append(f"{name_of(last)} is not the last entry that was sealed.")
    if seal.model is None and seal.since is None and (last.sequence if last else 0) != seal.head_sequence:
        findings.append(f"The copy ends before entry {seal.head_sequence}, where the trail ended: its end was cut off.")
    return findings


def _lines(file: TextIO) -> Iterator[tuple[int, AuditEntry | Seal | None]]:
    for number, line in enumerate(file, 1):
        try:
            yield number, _line(line)
        except _NO_ENTRY:
            yield number, None


def _line(line: str) -> AuditEntry | Seal:
    if line.startswith(f'{{"{SEAL}":'):
        return msgspec.convert(json.loads(line)[SEAL], Seal)
    entry = AuditEntry.from_json(line)
    if entry.to_json().decode() != line.rstrip("\n"):
        raise _not_ours()
    return entry


def _table(file: TextIO) -> Iterator[tuple[int, AuditEntry | Seal | None]]:
    for number, row in enumerate(csv.reader(file), 1):
        if number == 1 and tuple(row) == COLUMNS:
            continue
        try:
            yield number, _row(row)
        except _NO_ENTRY:
            yield number, None


def _row(row: list[str]) -> AuditEntry | Seal:
    if row[:1] == [SEAL]:
        return Seal.from_json(row[1])
    bare = (cell.removeprefix("'") for cell in row)
    named = zip(COLUMNS, bare, strict=True)
    fields = {name: json.loads(cell) if name in _JSON_COLUMNS else cell for name, cell in named}
    entry = msgspec.convert(fields, AuditEntry, strict=False)
    if [str(cell) for cell in cells(entry)] != row:
        raise _not_ours()
    return entry


def _not_ours() -> InvalidRecord:
    """A key twice, of which the second counts; or a number that is written in another way."""
    return InvalidRecord.of("The line", ["it is not as it was written"], "Export the trail again.")
