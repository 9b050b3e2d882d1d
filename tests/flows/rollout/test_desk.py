"""What the flows do, without Prefect: the registry is real, the router's numbers are played."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from flows.config.load import register_config
from flows.rollout.announce import announce_foreign_end
from flows.rollout.describe import markdown
from flows.rollout.desk import artifact_key, moment
from flows.rollout.giveback import take_back, tell
from flows.rollout.promote import start
from flows.rollout.rollout import heartbeat
from registry.errors import NotFound, StoreUnavailable
from registry.store.registry import Registry

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def promoted(desk, at=START):
    return start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=at)


def test_promote_begins_a_rollout_and_makes_its_first_move(desk, told):
    said = promoted(desk)["said"]

    assert "starts with shadow" in said
    assert desk.registry.plan("churn").shadows == ("v1.1.0",)
    assert [line.partition(" See:")[0] for line in told()] == [
        "churn: v1.1.0 begins its rollout: r-0001: starts with shadow."
    ]


def test_a_promotion_that_waits_for_people_says_so_once(desk, configured):
    config = configured(require_approval=True)
    asking = config.rollout.model_copy(update={"steps": config.rollout.steps[1:]})  # callers are answered at once
    register_config(config.model_copy(update={"rollout": asking}), desk.settings)

    assert promoted(desk)["said"] == "r-0001: it waits for ml_lead and business_owner"


def test_promoting_twice_goes_on_with_the_same_rollout(desk):
    assert promoted(desk)["rollout"] == promoted(desk)["rollout"] == "r-0001"


def test_a_model_without_champion_gets_its_first_one(desk, tmp_path, told):
    with Registry.open(f"sqlite:///{tmp_path / 'fresh.sqlite'}") as fresh:
        fresh.register_version(desk.registry.version("churn", "v1.1.0"))
        said = promoted(dataclasses.replace(desk, registry=fresh))["said"]

        assert said == "v1.1.0 is the first champion of churn"
        assert fresh.champion("churn").version == "v1.1.0"
    assert any("is the champion" in line for line in told())


def test_promoting_an_unknown_version_names_what_is_known(desk):
    with pytest.raises(NotFound):
        start(desk, "churn", "v9.9.9", actor="ann", reason="typo", at=START)


def test_a_promotion_is_told_once(desk, told):
    promoted(desk)
    for day in (1, 3, 5):
        heartbeat(desk, "churn", START + day * DAY)
    heartbeat(desk, "churn", START + 9 * DAY)

    (line,) = [line for line in told() if "is the champion" in line]
    assert line.startswith("churn: v1.1.0 is the champion: 100 % of callers succeeded")


def test_a_rollback_by_the_router_is_noticed_and_told_once(desk, told):
    promoted(desk)
    desk.registry.roll_back("churn", actor="control", reason="error rate 7 %", at=START)
    first, second = (heartbeat(desk, "churn", START + DAY) for _ in range(2))

    assert "error rate 7 %" in first.said
    assert second.said == "churn has no active rollout"
    assert len([line for line in told() if "was rolled back" in line]) == 1


def test_a_rollback_of_ours_is_not_told_again_as_a_foreign_one(desk, live, told):
    promoted(desk)
    live.challenger_loss = 0.40
    heartbeat(desk, "churn", START + DAY)

    assert announce_foreign_end(desk, "churn", START + DAY) is None
    assert len([line for line in told() if "was rolled back" in line]) == 1


def test_a_rollback_by_hand_is_told_with_who_and_why(desk, told):
    plan = take_back(desk, "churn", actor="ann", reason="bad feeling", to=None, at=START) if promoted(desk) else None
    tell(desk, "churn", "unused", START)

    assert plan.version_of("champion") == "v1.0.0"
    assert any("bad feeling" in line for line in told())


def test_without_the_registry_the_router_rolls_back_by_itself(desk, live, monkeypatch):
    asked = []
    live.rollback = lambda model, **said: asked.append((model, said)) or desk.registry.plan(model)

    def away(*_, **__):
        raise StoreUnavailable("The registry is away.", "disk", "mount it")

    monkeypatch.setattr(desk.registry, "roll_back", away)
    take_back(desk, "churn", actor="ann", reason="fire", to=None, at=START)

    assert asked == [("churn", {"actor": "ann", "reason": "fire", "to": None})]


def test_a_move_can_be_read_as_markdown(desk):
    promoted(desk)
    move = heartbeat(desk, "churn", START + DAY)
    text = markdown("churn", desk.registry.rollouts("churn")[0], move)

    assert "v1.1.0 against v1.0.0" in text
    assert "10 % of callers" in text
    assert move.decision.headline in text


def test_artifact_keys_are_what_prefect_allows():
    assert artifact_key("rollout", "my_model-2") == "rollout-my-model-2"


def test_a_naive_moment_is_taken_as_utc():
    assert moment(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001
    assert moment(None).tzinfo is UTC
