"""`understudy audit`: entries found, shown with what changed, copied, and checked."""

import json

import pytest
from cli_making import WHO

from flows.cli.audit import differences
from registry.home import Settings
from registry.records.audit import AuditEntry
from registry.store.registry import Registry


@pytest.fixture
def told(furnished):
    with Registry.open(Settings().registry_url) as registry:
        registry.record(
            model="churn",
            action="rollout.paused",
            subject="r-0009",
            before={"status": "running", "step": 1, "plan": {"epoch": 2}},
            after={"status": "paused", "step": 1, "plan": {"epoch": 3}},
            **WHO | {"actor": "zoe"},
        )
    return furnished


def test_entries_are_found_by_action_and_person(told):
    found = json.loads(told("audit", "list", "churn", "--action", "rollout", "--actor", "zoe", "--json").out)

    assert [entry["action"] for entry in found] == ["rollout.paused"]
    assert json.loads(told("audit", "list", "--action", "rollout.pause", "--json").out) == []
    assert json.loads(told("audit", "list", "--since", "2199-01-01", "--json").out) == []


def test_an_entry_is_shown_with_what_changed(told):
    number = json.loads(told("audit", "list", "--actor", "zoe", "--json").out)[0]["sequence"]
    said = told("audit", "show", str(number)).out

    assert "plan.epoch" in said
    assert json.loads(told("audit", "show", str(number), "--json").out)["subject"] == "r-0009"


def test_an_entry_that_is_not_there_is_refused_with_the_last(told):
    refused = told("audit", "show", "9999")

    assert refused.code == 2
    assert "The last is" in refused.err


def test_changes_come_first_and_what_stayed_last():
    fields = {"sequence": 1, "actor": "a", "action": "x", "model": "m", "subject": "s", "reason": "r"}
    entry = AuditEntry(
        before={"same": 1, "status": "running"},
        after={"same": 1, "status": "paused", "new": None},
        previous="",
        hash="",
        at=WHO["at"],
        **fields,
    )

    assert differences(entry) == [("status", "running", "paused"), ("new", "-", "none"), ("same", "1", "=")]


@pytest.mark.parametrize("name", ["trail.jsonl", "trail.csv"])
def test_a_copy_is_written_and_checked(told, tmp_path, name):
    path = tmp_path / name
    said = told("audit", "export", str(path))
    checked = told("audit", "verify", "--file", str(path), "--here")

    assert (said.code, checked.code) == (0, 0)
    assert "is intact" in checked.out
    assert told("audit", "verify").out.strip() == "The audit trail is intact."


def test_a_copy_that_was_edited_is_a_finding(told, tmp_path):
    path = tmp_path / "trail.jsonl"
    told("audit", "export", str(path))
    path.write_text(path.read_text().replace("zoe", "eve"))
    checked = told("audit", "verify", "--file", str(path), "--json")

    assert checked.code == 1
    assert "was altered" in json.loads(checked.out)["findings"][0]


def test_a_copy_from_elsewhere_is_a_finding_here(told, tmp_path):
    path = tmp_path / "trail.jsonl"
    other = tmp_path / "other.sqlite"
    with Registry.open(f"sqlite:///{other}") as registry:
        registry.record(model="churn", action="a", subject="s", **WHO)
        from registry.trail.export import write_copy

        with registry.audit_trail() as (entries, head), path.open("w", newline="") as file:
            write_copy(file, entries, "jsonl", head=head)

    assert told("audit", "verify", "--file", str(path)).code == 0
    assert "not that of the trail here" in told("audit", "verify", "--file", str(path), "--here").out


def test_a_copy_goes_to_standard_output(told):
    lines = told("audit", "export", "-", "--model", "churn").out.splitlines()

    assert json.loads(lines[-1])["seal"]["model"] == "churn"


def test_a_file_of_another_kind_is_refused(told):
    refused = told("audit", "export", "trail.parquet")

    assert refused.code == 2
    assert "ends neither in .jsonl nor in .csv" in refused.err
