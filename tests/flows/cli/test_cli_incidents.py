"""What was rolled back, and what is under way, from the command line."""

from datetime import timedelta

import pytest
from cli_making import NOON

from flows.cli.underway import under_way
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry

WHY = ("--reason", "because")
AT = ("--as-of", NOON.isoformat())


@pytest.fixture
def incident(furnished):
    furnished("rollout", "start", "churn", "--steps", "shadow:1h,100%:0s", *WHY, *AT)
    furnished("rollout", "advance", "churn", *WHY, *AT)
    with Registry.open(Settings().registry_url) as registry:
        registry.roll_back("churn", actor="ann", reason="wrong prices", at=NOON)
    return furnished


def test_an_incident_is_listed_with_its_cause(incident):
    shown, told = incident("incidents", "list", "churn"), incident("incidents", "--json")

    assert "wrong prices" in shown.out
    assert [one["id"] for one in told.json] == ["i-0001"]


def test_an_incident_is_shown_short_and_in_full(incident):
    short, full = incident("incidents", "show", "i-0001"), incident("incidents", "show", "i-0001", "--full")

    assert "wrong prices" in short.out
    assert "v1.1.0" in short.out
    assert full.out.startswith("# i-0001")
    assert "## Timeline" in full.out
    assert incident("incidents", "show", "i-0001", "--full", "--json").json["markdown"].startswith("# i-0001")


def test_an_unknown_incident_is_answered_with_the_one_that_was_meant(incident):
    said = incident("incidents", "show", "i1").refused()

    assert "Newest: i-0001." in said
    assert "Did you mean i-0001?" in said


def test_where_nothing_was_rolled_back_that_is_said(furnished):
    assert furnished("incidents").out == "Nothing was ever rolled back.\n"


def test_status_says_in_a_line_each_what_is_under_way(furnished):
    furnished("rollout", "start", "churn", "--steps", "10%:1h,100%:0s", *WHY, *AT)
    shown, told = furnished("status"), furnished("status", "--json")

    assert "rollout  churn: r-0001 of v1.1.0 waiting approval, step 0 of 2" in shown.out
    assert "gate     churn: r-0001 waits for ml_lead, business_owner" in shown.out
    assert [one["what"] for one in told.json["under_way"]] == ["rollout", "gate"]


def notice(key, status, next_at=NOON, missed=()):
    return Notice(
        key=key,
        model="churn",
        kind="run.failed",
        title="t",
        body="b",
        created_at=NOON,
        next_at=next_at,
        status=status,
        missed=missed,
    )


@pytest.mark.parametrize(
    ("status", "hours", "said"),
    [
        ("waiting", 0, None),
        ("waiting", 2, "1 wait to be sent, the oldest since 03-01 12:00"),
        ("sent", 2, None),
        ("given_up", 2, "1 could not be delivered in the last week"),
        ("given_up", 24 * 8, None),
    ],
)
def test_notifications_that_nobody_got_are_troubles(furnished, status, hours, said):
    with Registry.open(Settings().registry_url) as registry:
        registry.add_notice(notice("k", "waiting"))
        registry.mark_notice("k", status=status, attempts=1, next_at=NOON, missed=())
        found = [one for one in under_way(registry, NOON + timedelta(hours=hours)) if one.trouble]

    assert [one.said for one in found] == ([said] if said else [])


def test_a_registry_that_is_away_takes_nothing_from_the_status_of_processes(furnished):
    Settings().registry_file.write_bytes(b"no database at all" * 99)
    for beside in Settings().registry_file.parent.glob("registry.sqlite-*"):
        beside.unlink()
    answer = furnished("status")

    assert answer.code == 1
    assert "Processes" in answer.out
    assert "registry" in answer.out
