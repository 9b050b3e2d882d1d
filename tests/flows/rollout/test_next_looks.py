"""When a rollout is looked at again; the registry is real, clock and server are played."""

import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from prefect.logging import disable_run_logger
from pydantic import ValidationError

from flows.config.rollout import RolloutConfig
from flows.rollout import appointments as room
from flows.rollout.machine import Move
from flows.rollout.promote import start
from flows.rollout.rollout import _one, heartbeat
from registry.errors import Refusal
from registry.records.rollout import Waiting

START = datetime(2026, 1, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Clock:
    """Passes only while somebody sleeps."""

    def __init__(self):
        self.now, self.slept = START, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds * SECOND


@pytest.fixture
def begun(desk):
    """A rollout that runs its first step."""
    return lambda: start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)


def compressed(desk, monkeypatch, speed):
    config = desk.config("churn")
    faster = config.model_copy(update={"rollout": RolloutConfig(speed=speed)})
    monkeypatch.setattr(type(desk), "config", lambda _desk, _model: faster)


def looks_of(desk, clock):
    looked = []

    def look(model):
        looked.append(clock.now)
        return heartbeat(desk, model, clock.now)

    return looked, look


def followed(desk, monkeypatch, seen):
    """Moments of the looks of somebody who stays after a look at *seen*, while a day takes less than a second."""
    compressed(desk, monkeypatch, 100_000)
    clock, done = Clock(), {seen: Move(kind="hold", step=0, said="")}
    looked, look = looks_of(desk, clock)
    room.follow(desk, done, look, clock=clock, sleep=clock.sleep)
    return looked


def test_without_a_rollout_nobody_stays_and_nothing_is_booked(desk):
    clock, done = Clock(), {"churn": Move(kind="none", step=-1, said="")}
    room.follow(desk, done, lambda _: pytest.fail("looked"), clock=clock, sleep=clock.sleep)

    assert clock.slept == []
    assert room.next_look(desk, "churn", START, START) is None


def test_a_real_rollout_is_left_to_the_schedule(desk, begun):
    begun()
    clock, done = Clock(), {"churn": Move(kind="hold", step=0, said="")}
    room.follow(desk, done, lambda _: pytest.fail("looked"), clock=clock, sleep=clock.sleep)

    assert clock.slept == []
    assert room.next_look(desk, "churn", START, START) > START + room.HORIZON


def test_a_compressed_rollout_is_followed_for_minutes_with_a_breath_between_two_looks(desk, begun, monkeypatch):
    begun()
    looked = followed(desk, monkeypatch, "churn")

    gaps = [later - earlier for earlier, later in itertools.pairwise(looked)]
    assert len(looked) > 10
    assert min(gaps) >= 5 * SECOND
    assert looked[-1] <= START + room.STAY


@pytest.mark.parametrize(("question", "soon"), [("inconclusive", True), ("advance", False)])
def test_a_verdict_that_may_still_come_is_looked_for_while_people_are_asked(desk, begun, monkeypatch, question, soon):
    begun()
    compressed(desk, monkeypatch, 100_000)
    asked = desk.registry.active_rollout("churn")
    waiting = Waiting(question=question, bound_to="", since=START, said="no verdict")
    desk.registry.move_rollout(
        msgspec.structs.replace(asked, status="waiting_approval", waiting=waiting, revision=asked.revision + 1),
        actor="rollout",
        reason="no verdict",
        at=START,
    )

    assert (room.next_look(desk, "churn", START, START) < START + room.SOON) == soon


def test_whoever_stays_for_one_model_begins_the_rollouts_of_others(desk, begun, monkeypatch):
    begun()
    looked = followed(desk, monkeypatch, "another")

    assert looked[0] <= START + room.SOON
    assert len(looked) > 10


def test_a_model_whose_configuration_is_broken_keeps_nobody_from_looking_at_another(desk, begun, monkeypatch):
    begun()
    (desk.settings.configs_dir / "churn.yaml").write_text("model: churn\nrollout: {longest_gap: 8s}\n")
    clock, done = Clock(), {"another": Move(kind="hold", step=0, said="")}
    room.follow(desk, done, lambda _: pytest.fail("looked"), clock=clock, sleep=clock.sleep)
    monkeypatch.setattr(room, "book", lambda wanted, reason: pytest.fail("booked"))
    monkeypatch.setattr(room, "runtime", SimpleNamespace(deployment=SimpleNamespace(id="a deployment")))
    room.book_looks(desk, ["churn"], START)

    assert clock.slept == []


def test_a_gap_that_no_two_looks_keep_is_refused():
    with pytest.raises(ValidationError, match="8s is shorter than 10m"):
        RolloutConfig(longest_gap="8s")


def test_a_paused_rollout_is_not_looked_at(desk, begun, monkeypatch):
    begun()
    compressed(desk, monkeypatch, 100_000)
    paused = desk.registry.active_rollout("churn")

    desk.registry.move_rollout(
        msgspec.structs.replace(paused, status="paused", revision=paused.revision + 1),
        actor="ann",
        reason="lunch",
        at=START,
    )

    assert room.next_look(desk, "churn", START, START) is None


def test_what_is_due_before_the_schedule_is_booked_once_per_model(desk, begun, monkeypatch):
    begun()
    compressed(desk, monkeypatch, 2.0)
    booked = []
    monkeypatch.setattr(room, "book", lambda wanted, reason: booked.append(wanted))
    monkeypatch.setattr(room, "runtime", SimpleNamespace(deployment=SimpleNamespace(id="a deployment")))
    room.book_looks(desk, ["churn"], START)

    (wanted,) = booked
    assert (wanted.deployment, wanted.tag) == ("rollout/rollout-on-demand", "next-look:churn")
    assert wanted.at == START + room.SCHEDULE / 2
    assert wanted.parameters == {"model": "churn"}


def test_a_server_that_is_away_costs_punctuality_only(desk, begun, monkeypatch):
    def away(_wanted, _reason):
        raise ConnectionError

    begun()
    compressed(desk, monkeypatch, 2.0)
    warned = []
    monkeypatch.setattr(room, "book", away)
    monkeypatch.setattr(room, "runtime", SimpleNamespace(deployment=SimpleNamespace(id="a deployment")))
    monkeypatch.setattr(room, "get_run_logger", lambda: SimpleNamespace(warning=lambda *said: warned.append(said)))
    room.book_looks(desk, ["churn"], START)

    assert warned[0][1:] == ("churn", "ConnectionError")


def test_a_fault_with_one_model_keeps_nobody_from_looking_at_the_others(desk, begun, monkeypatch):
    begun()

    def broken(*_arguments, **_more):
        raise OverflowError

    monkeypatch.setattr(desk.client, "metrics", broken)
    with disable_run_logger():
        found = _one(desk, "churn", START, scheduled=False)

    assert "OverflowError" in str(found)
    assert isinstance(found, Refusal)
