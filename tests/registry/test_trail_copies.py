"""A copy of the audit trail is checked by itself, by us and by others, and whatever was done to it is found."""

import csv
import io
import json
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest
import trail_independent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_making import NOON, WHO, a_rollout, install, succeed

from registry.errors import StoreUnavailable
from registry.records.audit import AuditEntry
from registry.trail.chain import canonical, entry_hash
from registry.trail.check import check_copy
from registry.trail.export import write_copy

FORMS = pytest.mark.parametrize("form", ["jsonl", "csv"])
INDEPENDENT = {"jsonl": trail_independent.problems_of_lines, "csv": trail_independent.problems_of_table}
GOLDEN = AuditEntry(
    sequence=7,
    at=NOON + timedelta(microseconds=1500),
    actor="Zoë",
    action="rollout.moved",
    model="churn",
    subject="r-0001",
    reason='=sum("a")\n\u2028\x1f\x7f/\\',
    before={"z": 1, "a": {"y": None, "b": [1.0, 1e-7, 1e22, -0.5]}},
    after={"ok": True},
    previous="f" * 64,
    hash="",
)


@pytest.fixture
def told(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    registry.record(model="price", actor="bob", action="x", subject="y", reason="=1+1", at=NOON, after={"x": 1e-7})
    registry.start_rollout(a_rollout("r-0002", champion="v1.1.0", challenger="v1.2.0"), **WHO)
    registry.roll_back("churn", **WHO | {"reason": 'wrong "prices",\r\nand Zoë said so'})
    return registry


def copied(registry, path, **limits):
    with registry.audit_trail(**limits) as (entries, head), path.open("w", encoding="utf-8", newline="") as file:
        return write_copy(file, entries, path.suffix[1:], head=head, **limits)


def test_the_canonical_form_is_what_is_written_down():
    assert canonical(GOLDEN).decode() == (
        '{"action":"rollout.moved","actor":"Zoë","after":{"ok":true},"at":"2026-03-01T12:00:00.001500Z",'
        '"before":{"a":{"b":[1.0,1e-7,1e22,-0.5],"y":null},"z":1},"model":"churn",'
        f'"previous":"{"f" * 64}",'
        '"reason":"=sum(\\"a\\")\\n\u2028\\u001f\x7f/\\\\","sequence":7,"subject":"r-0001"}'
    )
    assert entry_hash(GOLDEN) == "e940a52402b51cefb066d77b9141b0c90a175a49c3492908660f57efde805723"


@FORMS
def test_a_copy_is_intact_for_us_and_for_others(told, tmp_path, form):
    path = tmp_path / f"trail.{form}"
    seal = copied(told, path)
    copy = check_copy(path)

    assert (copy.findings, copy.entries, copy.seal) == ([], len(told.audit()), seal)
    assert INDEPENDENT[form](path.read_bytes().decode()) == []
    assert copy.hashes[seal.head_sequence] == seal.head_hash == told.audit(limit=1)[0].hash


def test_the_second_implementation_is_a_program_of_its_own(told, tmp_path):
    path = tmp_path / "trail.jsonl"
    copied(told, path)
    words = [sys.executable, "-I", trail_independent.__file__, str(path)]

    assert subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout == "intact\n"


@FORMS
@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("ann", "eve"), *lines[3:]], "was altered"),
        (lambda lines: [*lines[:3], *lines[4:]], "entries in between are missing"),
        (lambda lines: [*lines[:3], lines[3], lines[3], *lines[4:]], "follows entry"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "follows entry"),
        (lambda lines: lines[:-1], "no seal"),
        (lambda lines: [*lines[:-2], lines[-1]], "its seal says"),
        (lambda lines: lines[:5], "no seal"),
        (lambda lines: [*lines, lines[3]], "comes after the seal"),
        (lambda lines: [*lines[:4], lines[4][:20], *lines[5:]], "cannot be read"),
        (lambda lines: [*lines[:1], *lines[2:]], r"follows entry 0|does not continue|missing"),
    ],
    ids=[
        "edited",
        "deleted",
        "inserted",
        "reordered",
        "unsealed",
        "last gone",
        "truncated",
        "added",
        "torn",
        "first gone",
    ],
)
def test_whatever_was_done_to_a_copy_is_found(told, tmp_path, form, harm, finding):
    path = tmp_path / f"trail.{form}"
    copied(told, path)
    path.write_text("".join(harm(rows_of(path))), newline="")
    said = "\n".join(check_copy(path).findings)

    assert any(part in said for part in finding.split("|")), said
    assert broken(form, path)


def rows_of(path):
    """Lines of the file; a row of a table may be longer than a line. The heading goes with the first."""
    text = path.read_bytes().decode()
    if path.suffix == ".jsonl":
        return text.splitlines(keepends=True) if "\u2028" not in text else text.split("\n")
    rows = []
    for row in csv.reader(io.StringIO(text, newline="")):
        line = io.StringIO(newline="")
        csv.writer(line).writerow(row)
        rows.append(line.getvalue())
    return [rows[0] + rows[1], *rows[2:]]


def broken(form, path):
    try:
        return bool(INDEPENDENT[form](path.read_bytes().decode()))
    except (ValueError, IndexError, KeyError):
        return True


def test_a_chain_computed_anew_is_found_by_comparing_with_the_trail(told, tmp_path):
    path, trail = tmp_path / "trail.jsonl", told.audit()[::-1]
    previous, forged = "0" * 64, []
    for entry in trail:
        draft = msgspec.structs.replace(entry, actor="eve", previous=previous)
        forged.append(msgspec.structs.replace(draft, hash=entry_hash(draft)))
        previous = forged[-1].hash
    with path.open("w", encoding="utf-8", newline="") as file:
        write_copy(file, forged, "jsonl", head=(len(forged), previous))
    copy = check_copy(path)

    assert copy.findings == []
    assert copy.hashes[1] != trail[0].hash


@FORMS
@pytest.mark.parametrize("limits", [{"model": "churn"}, {"model": "price"}, {"since": NOON + timedelta(hours=1)}])
def test_a_part_is_checked_as_well(told, tmp_path, form, limits):
    told.record(model="churn", actor="b", action="x", subject="y", reason="z", at=NOON + timedelta(hours=2))
    told.record(model="churn", actor="b", action="x", subject="late", reason="z", at=NOON)
    path = tmp_path / f"trail.{form}"
    seal = copied(told, path, **limits)
    copy = check_copy(path)

    assert (copy.findings, copy.entries) == ([], seal.entries)
    assert seal.entries == {"churn": len(told.audit("churn")), "price": 1}.get(limits.get("model"), 2)
    if seal.entries > 2:
        rows = rows_of(path)
        path.write_text("".join([*rows[:2], *rows[3:]]), newline="")
        assert check_copy(path).findings


def test_an_entry_of_another_model_does_not_slip_into_a_part(told, tmp_path):
    path, whole = tmp_path / "part.jsonl", tmp_path / "whole.jsonl"
    copied(told, path, model="price")
    copied(told, whole)
    path.write_text(rows_of(whole)[0] + path.read_text())

    assert "slipped in" in " ".join(check_copy(path).findings)


def test_an_empty_trail_has_a_copy(registry, tmp_path):
    path = tmp_path / "trail.csv"

    assert copied(registry, path).entries == 0
    assert check_copy(path).findings == []


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "trail.jsonl"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StoreUnavailable, match="was not checked"):
        check_copy(path)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, st.dictionaries(TEXT, VALUES, max_size=3)), min_size=1, max_size=4))
def test_whatever_people_write_survives_both_formats_and_both_checks(tmp_path, said):
    entries = chained(said)
    head = entries[-1].sequence, entries[-1].hash
    for form, independent in INDEPENDENT.items():
        path = tmp_path / f"trail.{form}"
        with path.open("w", encoding="utf-8", newline="") as file:
            write_copy(file, entries, form, head=head)
        assert check_copy(path).findings == []
        assert independent(path.read_bytes().decode()) == []


def chained(said):
    entries, previous = [], "0" * 64
    for number, (actor, reason, after) in enumerate(said, 1):
        changes = {"sequence": number, "actor": actor, "reason": reason, "after": after, "previous": previous}
        draft = AuditEntry.from_json(msgspec.structs.replace(GOLDEN, **changes).to_json())
        entries.append(msgspec.structs.replace(draft, hash=entry_hash(draft)))
        previous = entries[-1].hash
    return entries


def test_a_line_is_json_that_any_program_reads(told, tmp_path):
    path = tmp_path / "trail.jsonl"
    copied(told, path)
    entries = [json.loads(line) for line in path.read_text().splitlines()]

    assert [entry["sequence"] for entry in entries[:-1]] == list(range(1, len(entries)))
    assert entries[-1]["seal"]["entries"] == len(entries) - 1
