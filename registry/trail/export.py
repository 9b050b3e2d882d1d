"""Copies of the trail that can be checked by themselves: JSON lines, or a table; both end with a seal."""

import csv
import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TextIO

import msgspec

from registry.records.audit import AuditEntry
from registry.records.base import Record

Format = Literal["jsonl", "csv"]
SEAL = "seal"
COLUMNS = AuditEntry.__struct_fields__
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "'")  # what a spreadsheet would take for a formula, and our own mark


class Seal(Record, frozen=True, kw_only=True):
    """
    What a copy says of itself, in its last line.

    Attributes:
        entries: How many it has.
        model, since: What it was limited to; None if it was not.
        content: Sha256 over the hashes of its entries, one per line.
        head_sequence, head_hash: Last entry of the whole trail when the copy was made.
    """

    format: Literal[1] = 1
    entries: int
    model: str | None = None
    since: datetime | None = None
    content: str
    head_sequence: int
    head_hash: str


def write_copy(
    file: TextIO,
    entries: Iterable[AuditEntry],
    form: Format,
    *,
    head: tuple[int, str],
    model: str | None = None,
    since: datetime | None = None,
) -> Seal:
    """
    Write entries, oldest first, and the seal.

    Args:
        file: Opened for text in UTF-8, with newline="".
        entries: Consumed one by one.
        form: "jsonl" or "csv".
        head: Sequence and hash of the last entry of the whole trail.
        model, since: What *entries* was limited to.
    """
    write = csv.writer(file).writerow
    if form == "csv":
        write(COLUMNS)
    count, whole = 0, hashlib.sha256()
    for entry in entries:
        if form == "csv":
            write(cells(entry))
        else:
            file.write(f"{entry.to_json().decode()}\n")
        count += 1
        whole.update(f"{entry.hash}\n".encode())
    seal = Seal(
        entries=count, model=model, since=since, content=whole.hexdigest(), head_sequence=head[0], head_hash=head[1]
    )
    if form == "csv":
        write((SEAL, seal.to_json().decode()))
    else:
        file.write(f'{{"{SEAL}":{seal.to_json().decode()}}}\n')
    return seal


def cells(entry: AuditEntry) -> list[object]:
    """Write an entry as a row; a text that a spreadsheet would take for a formula gets a mark before it."""
    plain = msgspec.to_builtins(entry)
    return [_cell(plain[name]) for name in COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return msgspec.json.encode(value, order="sorted").decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(_DANGEROUS) else value
