"""People hear of an update before it happens, and of all that follows in its order; over real HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from receiving import received

from flows.config.load import register_config
from flows.notify.send import send_due
from flows.rollout.promote import start
from flows.rollout.rollout import heartbeat
from registry.errors import PlanConflict

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def heard(desk, config):
    """What a receiver is told, each with the champion at that moment."""
    found = []
    with received() as receiver:
        receiver.on_message = lambda told: found.append(
            (told["title"], desk.registry.champion("churn").version, told["message"])
        )
        told = config.notify.model_copy(update={"urls": (receiver.url,)})
        register_config(config.model_copy(update={"notify": told}), desk.settings)
        yield found


def play(desk, days):
    for day in days:
        heartbeat(desk, "churn", START + day * DAY)


def test_a_promotion_is_told_before_it_happens_and_again_after(desk, heard):
    start(desk, "churn", "v1.1.0", actor="ann", reason="for ann.smith@example.org", at=START)
    play(desk, (2, 4, 6, 8, 10))
    send_due(desk.settings, desk.registry)

    assert desk.registry.champion("churn").version == "v1.1.0"
    before = [champion for title, champion, _ in heard if "is about to become the champion" in title]
    after = [champion for title, champion, _ in heard if title == "churn: v1.1.0 is the champion"]
    assert (before, after) == (["v1.0.0"], ["v1.1.0"])
    assert not any("ann.smith" in title + body for title, _, body in heard)


def test_a_promotion_that_is_beaten_to_it_repeats_nothing(desk, heard, monkeypatch):
    start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)
    play(desk, (2, 4))

    def taken(*_, **__):
        raise PlanConflict("It was not moved.", "Somebody else was first.", "Look again.")

    with monkeypatch.context() as patched:
        patched.setattr(type(desk.registry), "move_rollout", taken)
        play(desk, (6, 8))
    play(desk, (10, 12))
    send_due(desk.settings, desk.registry)

    titles = [title for title, _, _ in heard]
    assert titles.count("churn: v1.1.0 is about to become the champion") == 1
    assert titles.count("churn: v1.1.0 is the champion") == 1


def test_a_step_that_has_no_data_beyond_its_longest_time_is_told_once(desk, heard):
    start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)
    play(desk, (1,))
    desk.client.n = 0
    play(desk, (2, 4, 6, 8))
    send_due(desk.settings, desk.registry)

    told = [body for title, _, body in heard if title == "churn: v1.1.0 cannot be judged"]
    assert len(told) == 1
    assert "have passed without a verdict" in told[0]
    assert desk.registry.active_rollout("churn").status == "running"


def test_a_move_and_what_is_told_of_it_are_committed_together(desk, monkeypatch):
    """Killed right after the commit, people still hear of it."""
    start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)
    known = {one.key for one in desk.registry.notices("churn")}

    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr("flows.rollout.rollout.announce", killed)
    with pytest.raises(Killed):
        heartbeat(desk, "churn", START + 2 * DAY)

    new = [one for one in desk.registry.notices("churn") if one.key not in known]
    assert [(one.kind, one.status) for one in new] == [("rollout.moved", "waiting")]
