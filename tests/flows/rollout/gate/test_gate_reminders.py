"""Reminders: at their time, once, to whoever is missing; and never where nobody is asked."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flows.rollout.gate.reminders import remind
from registry.approval import approval_digest
from registry.records.rollout import Waiting

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WHO = {"reason": "read the report", "at": START}


@pytest.fixture
def asked(registry, begun):
    """A rollout that asked people at START, and reminds them once a day for a week."""
    waiting = Waiting(question="begin", bound_to=approval_digest(registry, begun), since=START, said="asks")
    moved = msgspec.structs.replace(begun, revision=2, status="waiting_approval", waiting=waiting)
    return registry.move_rollout(moved, actor="rollout", reason="asks", at=START)


def reminders(registry):
    return [one for one in registry.notices("churn") if one.kind == "approval.reminded"]


def test_people_are_reminded_once_a_day(registry, desk, asked):
    for hours in (1, 23, 24, 25, 47, 48, 49):
        remind(desk, registry.rollout(asked.id), START + hours * HOUR)

    assert len(reminders(registry)) == 2
    assert registry.rollout(asked.id).waiting.reminded == 2
    assert "business_owner" in reminders(registry)[0].body


def test_who_was_away_for_days_reminds_once(registry, desk, asked):
    found = remind(desk, asked, START + 5 * DAY)

    assert (found.waiting.reminded, len(reminders(registry))) == (5, 1)
    assert remind(desk, found, START + 5 * DAY) == found


def test_only_those_who_are_missing_are_named(registry, desk, asked):
    registry.sign(asked.id, actor="bob", role="business_owner", **WHO)
    remind(desk, asked, START + DAY)

    assert "business_owner" not in reminders(registry)[0].body
    assert "ml_lead" in reminders(registry)[0].body


def test_a_clock_that_goes_back_reminds_nobody(registry, desk, asked):
    assert remind(desk, asked, START - 9 * DAY) == asked
    assert reminders(registry) == []


def test_nobody_is_reminded_once_all_have_signed(registry, desk, asked):
    registry.sign(asked.id, actor="ann", role="ml_lead", **WHO)
    registry.sign(asked.id, actor="bob", role="business_owner", **WHO)

    assert remind(desk, asked, START + 3 * DAY) == asked


def test_of_two_looks_at_once_one_reminds(registry, desk, asked):
    first, second = remind(desk, asked, START + DAY), remind(desk, asked, START + DAY)

    assert first == second
    assert len(reminders(registry)) == 1


def test_a_question_that_expires_but_holds_says_so_once_and_goes_on_asking(registry, desk, asked):
    gate = msgspec.structs.replace(asked.gate, on_expiry="hold")
    held = msgspec.structs.replace(asked, gate=gate, revision=3)
    registry.move_rollout(held, actor="test", reason="test", at=START)
    for days in (7, 8, 9):
        remind(desk, registry.rollout(asked.id), START + days * DAY)

    kinds = [one.kind for one in registry.notices("churn")]
    assert (kinds.count("approval.expired"), kinds.count("approval.reminded")) == (1, 3)
    assert registry.rollout(asked.id).status == "waiting_approval"


def test_a_question_that_ends_the_rollout_is_left_to_the_look(registry, desk, asked):
    assert remind(desk, asked, START + 7 * DAY) == asked
