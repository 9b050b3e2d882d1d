"""The audit trail is append-only, and tampering around the database is found."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_making import NOON, a_plan, a_rollout, install

from registry.errors import PlanConflict
from registry.records.audit import AuditEntry
from registry.store.audit import entry_hash
from registry.store.registry import Registry

GUARDED = ("audit_entries", "traffic_plans", "approvals")


@pytest.fixture
def told(registry):
    """A registry with some history, approvals included."""
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout(), actor="ann", reason="go", at=NOON)
    registry.sign("r-0001", actor="bob", role="ml_lead", reason="read it", at=NOON)
    return registry


def tamper(database, *statements):
    """Write as an intruder with the file would: triggers dropped first."""
    with closing(sqlite3.connect(database, isolation_level=None)) as plain:
        for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            plain.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            plain.execute(statement)


def test_an_entry_is_read_back_as_it_was_recorded(registry):
    at = NOON.replace(microsecond=1).astimezone(timezone(timedelta(hours=2)))
    entry = registry.record(
        actor="ann", action="router.paused", model="churn", subject="epoch 3", reason="why", at=at, after={"x": [1, 2]}
    )

    assert registry.audit() == [entry]
    assert (entry.sequence, entry.previous, entry.at) == (1, "0" * 64, at)


def test_entries_come_newest_first_and_by_model(registry):
    for number, model in enumerate(("churn", "price", "churn")):
        registry.record(actor="ann", action="a", model=model, subject=str(number), reason="", at=NOON)

    assert [e.subject for e in registry.audit()] == ["2", "1", "0"]
    assert [e.subject for e in registry.audit("churn", limit=1)] == ["2"]


def test_an_untouched_trail_is_intact(told):
    assert told.verify_audit() == []
    assert len(told.audit()) == 6


def test_an_empty_trail_is_intact(registry):
    assert registry.verify_audit() == []


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET reason = 'nicer'",
        "DELETE FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "REPLACE INTO {table} SELECT * FROM {table}",
        "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE SET reason = 'nicer'",
    ],
)
def test_the_database_refuses_to_rewrite_history(told, database, table, statement):
    statement = statement.format(table=table)
    if table == "traffic_plans":
        statement = statement.replace("reason", "document")
    with closing(sqlite3.connect(database)) as plain, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute(statement)
    assert told.verify_audit() == []


@pytest.mark.parametrize("statement", ["UPDATE model_versions SET document = '{}'", "DELETE FROM model_versions"])
def test_the_database_refuses_to_change_a_version(told, database, statement):
    with closing(sqlite3.connect(database)) as plain, pytest.raises(sqlite3.IntegrityError, match="model_versions"):
        plain.execute(statement)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE audit_entries SET actor = 'eve' WHERE sequence = 2", "Entry 2 .* was altered"),
        ("UPDATE audit_entries SET at = '2026-01-01 00:00:00.000000' WHERE sequence = 3", "Entry 3 .* was altered"),
        ("UPDATE audit_entries SET after = '{}' WHERE sequence = 1", "Entry 1 .* was altered"),
        ("UPDATE audit_entries SET at = 'yesterday' WHERE sequence = 3", "Entry 3 was altered .* cannot be read"),
        ("UPDATE audit_entries SET after = '{' WHERE sequence = 6", "Entry 6 was altered .* cannot be read"),
        ("UPDATE audit_entries SET at = 5, before = x'00' WHERE sequence = 1", "Entry 1 was altered .* cannot be read"),
        ("DELETE FROM audit_entries WHERE sequence = 3", "Entry 4 .* follows entry 2"),
        ("DELETE FROM audit_entries WHERE sequence = 1", "Entry 2 .* does not continue"),
        ("DELETE FROM audit_entries WHERE sequence = 6", "ends at entry 5, but its head is at entry 6"),
        ("DELETE FROM audit_entries", "ends at entry 0, but its head is at entry 6"),
        ("DELETE FROM audit_head", "its head is missing"),
        (
            "INSERT INTO audit_entries SELECT 7, at, actor, action, model, subject, reason, before, after, hash, hash "
            "FROM audit_entries WHERE sequence = 6",
            "Entry 7 .* was altered",
        ),
    ],
)
def test_a_row_edited_around_the_trigger_is_found(told, database, statement, finding):
    tamper(database, statement)

    assert re.search(finding, "\n".join(told.verify_audit()))


def test_a_forged_hash_breaks_the_next_entry(told, database):
    second = told.audit()[-2]
    forged = AuditEntry(**{name: getattr(second, name) for name in AuditEntry.__struct_fields__} | {"actor": "eve"})
    tamper(database, f"UPDATE audit_entries SET actor = 'eve', hash = '{entry_hash(forged)}' WHERE sequence = 2")

    chain, noted = told.verify_audit()
    assert "Entry 3" in chain
    assert "Entry 2 is not the one that" in noted


COLUMNS = "sequence, at, actor, action, model, subject, reason, before, after, previous, hash"


@pytest.fixture
def rewritten(told, database):
    """An intruder who knows how the chain is made: everything computed anew, the head as well."""

    def forge(change):
        entries = change(list(reversed(told.audit())))
        previous, rows = "0" * 64, []
        for sequence, entry in enumerate(entries, 1):
            draft = msgspec.structs.replace(entry, sequence=sequence, previous=previous)
            previous = entry_hash(draft)
            rows.append((previous, draft))
        tamper(database, "DELETE FROM audit_entries")
        with closing(sqlite3.connect(database, isolation_level=None)) as plain:
            for digest, draft in rows:
                fields = msgspec.structs.asdict(draft) | {"hash": digest, "at": draft.at.replace(tzinfo=None)}
                for name in ("before", "after"):
                    fields[name] = msgspec.json.encode(fields[name], order="sorted").decode()
                fields["at"] = fields["at"].strftime("%Y-%m-%d %H:%M:%S.%f")
                marks = ", ".join(f":{name}" for name in COLUMNS.split(", "))
                plain.execute(f"INSERT INTO audit_entries ({COLUMNS}) VALUES ({marks})", fields)
            plain.execute("UPDATE audit_head SET sequence = ?, hash = ?", (len(rows), previous))

    return forge


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda es: [*es[:2], msgspec.structs.replace(es[2], actor="eve"), *es[3:]], "Entry . is not the one that"),
        (lambda es: [*es[:3], *es[4:]], "ends at entry 5, but .* noted entry 6"),
        (lambda es: [*es[:3], es[3], es[3], *es[4:]], "Entry . is not the one that"),
        (lambda es: [es[0], es[1], es[3], es[2], *es[4:]], "Entry . is not the one that"),
        (lambda es: es[:-1], "ends at entry 5, but .* noted entry 6: entries were cut"),
        (lambda es: [], "ends at entry 0, but .* noted entry 6"),
    ],
    ids=["edited", "deleted", "inserted", "reordered", "cut at the end", "emptied"],
)
def test_a_chain_that_was_computed_anew_is_found_by_what_was_noted_outside(told, rewritten, change, finding):
    rewritten(change)

    assert re.search(finding, "\n".join(told.verify_audit()))


def test_a_chain_computed_anew_without_a_change_is_the_same_chain(told, rewritten):
    rewritten(lambda entries: entries)

    assert told.verify_audit() == []


def test_a_torn_line_of_the_notes_says_nothing_and_costs_nothing(told, database):
    with database.with_name("registry.sqlite.anchor").open("a") as file:
        file.write("7 abc")

    assert told.verify_audit() == []


def test_a_disk_that_takes_no_note_does_not_undo_the_change(registry, database):
    database.with_name("registry.sqlite.anchor").mkdir()
    install(registry, "v1.1.0")

    assert len(registry.audit()) > 0


def test_only_what_has_committed_is_noted(told, database):
    noted = database.with_name("registry.sqlite.anchor").read_text()
    with pytest.raises(PlanConflict):
        told.publish_plan(a_plan(9))

    assert database.with_name("registry.sqlite.anchor").read_text() == noted


words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Registry.open(f"sqlite:///{tmp_path_factory.mktemp('shared')}/registry.sqlite") as opened:
        yield opened


@given(
    after=st.dictionaries(words, values, max_size=4),
    said=words,
    at=st.datetimes(timezones=st.just(NOON.tzinfo)),
)
def test_whatever_is_recorded_verifies(shared, after, said, at):
    entry = shared.record(actor="ann", action="a", model="m", subject=said, reason=said, at=at, after=after)

    assert shared.audit(limit=1) == [entry]
    assert entry_hash(shared.audit(limit=1)[0]) == entry.hash


def test_the_trail_of_whatever_was_recorded_is_intact(shared):
    assert shared.verify_audit() == []


def test_numbers_as_keys_do_not_break_the_hash(registry):
    registry.record(
        actor="ann",
        action="a",
        model="m",
        subject="s",
        reason="",
        at=NOON,
        before={"k": {10: 1, 9: 2}},
        after={"t": (1,)},
    )

    assert registry.verify_audit() == []


def test_a_plan_edited_around_the_trigger_is_found_by_its_digest(told, database):
    tamper(database, "UPDATE traffic_plans SET document = replace(document, 'a test', 'another')")

    assert told.audit("churn")[-4].after["digest"] != told.plan("churn").digest()


def test_a_plan_that_was_made_unreadable_is_refused_with_a_reason(told, database):
    tamper(database, "UPDATE traffic_plans SET document = '{\"epoch\": 1}'")

    with pytest.raises(Exception, match="A stored document cannot be read"):
        told.plan("churn")


def test_the_plan_in_the_trail_is_the_one_in_force(told):
    told.publish_plan(a_plan(2))

    assert told.audit(limit=1)[0].after["digest"] == told.plan("churn").digest()
