"""A notice is kept once, waits until it is due, and remembers what came of it."""

from datetime import timedelta

import pytest
from postgres_making import BOTH
from registry_making import NOON, WHO, a_notice, install, succeed

from registry.errors import NotFound

LATER = NOON + timedelta(minutes=5)


@BOTH
def test_a_notice_is_kept_once(registry):
    assert registry.add_notice(a_notice())
    assert not registry.add_notice(a_notice(title="again"))

    assert registry.notices() == [a_notice()]


def test_one_that_was_told_before_does_not_hold_up_a_move(registry):
    install(registry, "v1.1.0")
    registry.add_notice(a_notice())
    succeed(registry, "v1.1.0", notices=[a_notice(), a_notice("b"), a_notice("b")])

    assert [n.key for n in registry.notices()] == ["b", "r-0001:promote:2"]


@BOTH
def test_those_that_are_due_come_longest_due_first(registry):
    for key, minutes in {"late": 9, "second": 2, "first": 1}.items():
        registry.add_notice(a_notice(key, next_at=NOON + timedelta(minutes=minutes)))

    assert [n.key for n in registry.notices_due(LATER)] == ["first", "second"]
    assert [n.key for n in registry.notices_due(LATER, limit=1)] == ["first"]
    assert registry.notices_due(NOON) == []


@BOTH
def test_what_came_of_it_is_noted(registry):
    registry.add_notice(a_notice())
    tried = registry.mark_notice(
        "r-0001:promote:2", status="waiting", attempts=1, next_at=LATER, missed=("slack", "mailtos")
    )
    assert (tried.attempts, tried.next_at, tried.missed) == (1, LATER, ("slack", "mailtos"))
    assert registry.notices_due(NOON) == []
    assert registry.notices_due(LATER) == [tried]

    registry.mark_notice("r-0001:promote:2", status="sent", attempts=2, next_at=LATER)
    assert registry.notices_due(LATER) == []
    assert registry.notices("churn", limit=1)[0].status == "sent"
    assert registry.notices("price") == []


def test_a_notice_that_nobody_wrote_cannot_be_marked(registry):
    with pytest.raises(NotFound, match="no notice 'x'"):
        registry.mark_notice("x", status="sent", attempts=1, next_at=NOON)


def test_sending_is_no_part_of_the_trail(registry):
    registry.add_notice(a_notice())
    registry.mark_notice("r-0001:promote:2", status="sent", attempts=1, next_at=NOON)

    assert registry.audit() == []


def test_every_rollback_has_its_notice(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    registry.roll_back("churn", **WHO | {"reason": "wrong prices"})
    (notice,) = registry.notices("churn")

    assert (notice.kind, notice.level, notice.status) == ("rollout.rolled_back", "warning", "waiting")
    assert notice.key == "churn:rolled_back:3"
    assert "taken off by a person: wrong prices." in notice.body
    assert "ann" not in notice.body
    assert "v1.0.0 answers everybody by plan 3" in notice.body
    assert "i-0001" in notice.body


def test_the_figures_of_a_guard_are_told(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    registry.roll_back("churn", **WHO | {"reason": "5 % of 400 failed"}, kind="guard")

    assert "taken off by a guard of the router: 5 % of 400 failed." in registry.notices("churn")[0].body
