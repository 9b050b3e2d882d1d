"""A watch is looked at often, ends once, and is never about something else."""

from datetime import timedelta

import msgspec
import pytest
from postgres_making import BOTH
from registry_making import WHO, a_notice, a_watch, install, succeed

from registry.errors import InvalidRecord, NotFound, StageConflict
from registry.records.watch import Baseline


@pytest.fixture
def watched(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0", watch=a_watch())
    return registry.watch("churn")


@BOTH
def test_a_look_is_kept_and_is_no_entry_of_the_trail(registry, watched):
    before = registry.audit()
    looked = msgspec.structs.replace(watched, looks=1, said="400 requests, no failure", baseline=Baseline(requests=7))
    registry.move_watch(looked, **WHO)

    assert registry.watch("churn") == looked
    assert registry.audit() == before


@BOTH
def test_its_end_is_an_entry_and_is_told(registry, watched):
    registry.move_watch(msgspec.structs.replace(watched, status="passed", looks=1), notices=[a_notice("n")], **WHO)

    assert registry.watch("churn") is None
    assert [w.status for w in registry.watches("churn")] == ["passed"]
    assert registry.audit(limit=1)[0].action == "watch.passed"
    assert [n.key for n in registry.notices()] == ["n"]


def test_it_ends_once(registry, watched):
    registry.move_watch(msgspec.structs.replace(watched, status="passed"), **WHO)

    with pytest.raises(StageConflict, match="It is over: passed"):
        registry.move_watch(msgspec.structs.replace(watched, looks=1), **WHO)


def test_an_older_look_does_not_replace_a_newer_one(registry, watched):
    registry.move_watch(msgspec.structs.replace(watched, looks=2), **WHO)

    with pytest.raises(StageConflict, match="looked at 2 times, and this look is number 1"):
        registry.move_watch(msgspec.structs.replace(watched, looks=1), **WHO)


@pytest.mark.parametrize("change", [{"version": "v1.2.0"}, {"former": "v1.2.0"}, {"phase": "x"}])
def test_it_never_watches_something_else(registry, watched, change):
    with pytest.raises(InvalidRecord, match="Begin a new one"):
        registry.move_watch(msgspec.structs.replace(watched, **change), **WHO)


def test_it_may_be_given_more_time(registry, watched):
    longer = msgspec.structs.replace(watched, until=watched.until + timedelta(hours=1))

    assert registry.move_watch(longer, **WHO) == longer


def test_one_that_never_began_is_not_found(registry, watched):
    with pytest.raises(NotFound, match="Newest: w-0001"):
        registry.move_watch(a_watch("w-0007"), **WHO)


@BOTH
def test_a_rollback_of_the_champion_ends_it(registry, watched):
    registry.roll_back("churn", **WHO | {"actor": "watch"})
    (ended,) = registry.watches("churn")
    (incident,) = registry.incidents("churn")

    assert (ended.status, ended.said) == ("rolled_back", "a test")
    assert (incident.kind, incident.version, incident.restored) == ("watch", "v1.1.0", "v1.0.0")
    assert registry.audit(action="watch.rolled_back")


def test_a_rollback_of_the_next_challenger_leaves_it_alone(registry, watched):
    from registry_making import a_rollout

    registry.start_rollout(a_rollout("r-0002", champion="v1.1.0", challenger="v1.2.0"), **WHO)
    registry.roll_back("churn", **WHO)

    assert registry.watch("churn") == watched
