"""The registry in MLflow's: as it is, once, and whatever happens in between."""

from datetime import timedelta

import pytest
from tracking_making import NOON, WHO, a_version, client_of, counts, furnish, with_store

from flows.tracking.mirror import SEQUENCE
from flows.tracking.send import send
from flows.tracking.store import VARIABLE
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry


@pytest.fixture
def where(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    return with_store(furnish("v1.1.0", "v1.10.0", "v1.9.0"))


@pytest.fixture
def registry(where):
    with Registry.open(where.registry_url) as opened:
        yield opened


def shown(where):
    """Semantic versions by alias, and stages by semantic version."""
    client = client_of(where)
    versions = {str(one.version): one for one in client.search_model_versions("name = 'churn'")}
    aliases = client.get_registered_model("churn").aliases
    stages = {one.tags["semver"]: one.tags["stage"] for one in versions.values()}
    assert len(stages) == len(versions)
    return {alias: versions[str(number)].tags["semver"] for alias, number in aliases.items()}, stages


def begin(registry, challenger="v1.1.0"):
    return registry.start_rollout(
        Rollout(
            id=registry.next_rollout_id("churn"),
            model="churn",
            champion="v1.0.0",
            challenger=challenger,
            steps=(Step(share=0, min_s=1, max_s=2),),
            policy=PromotionPolicy(metric="auc"),
            salt="churn.r",
            step_started_at=NOON,
            created_at=NOON,
        ),
        **WHO,
    )


def promote(registry, where, challenger="v1.1.0"):
    from flows.rollout.commit import Commit, commit
    from flows.rollout.machine import Move

    rollout, move = begin(registry, challenger), Move(kind="promote", step=0, said="better")
    commit(
        registry,
        Commit(rollout=rollout, plan=registry.plan("churn"), move=move, metrics=None, notices=(), at=NOON),
    )


def test_every_version_is_there_with_its_number_stage_and_run(where):
    done = send(where)

    aliases, stages = shown(where)
    assert done.mirrored == ("churn",)
    assert aliases == {"champion": "v1.0.0"}
    assert stages == {"v1.0.0": "production", "v1.1.0": "staging", "v1.9.0": "staging", "v1.10.0": "staging"}
    assert counts(client_of(where)) == {"retraining_pipeline": 4}


def test_mirroring_again_changes_nothing(where):
    send(where)
    before = client_of(where).search_model_versions("name = 'churn'")
    send(where)
    after = client_of(where).search_model_versions("name = 'churn'")

    assert [vars(one) for one in after] == [vars(one) for one in before]
    assert counts(client_of(where)) == {"retraining_pipeline": 4}


def test_aliases_follow_a_rollout_a_promotion_and_a_way_back(where, registry):
    begin(registry)
    send(where)
    during, _ = shown(where)
    registry.roll_back("churn", **WHO)
    send(where)
    ended, stages = shown(where)
    promote(registry, where, "v1.9.0")
    send(where)
    promoted, _ = shown(where)
    registry.roll_back("churn", **WHO | {"at": NOON + timedelta(hours=1)})
    send(where)
    back, last = shown(where)

    assert during == {"champion": "v1.0.0", "challenger": "v1.1.0"}
    assert ended == {"champion": "v1.0.0"}
    assert stages["v1.1.0"] == "rejected"
    assert promoted == {"champion": "v1.9.0", "previous": "v1.0.0"}
    assert back == {"champion": "v1.0.0"}
    assert last["v1.0.0"] == "production"


def test_a_mirror_that_was_cut_off_is_completed(where, monkeypatch):
    from mlflow import MlflowClient

    create, calls = MlflowClient.create_model_version, []

    def cut(self, *words, **more):
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return create(self, *words, **more)

    monkeypatch.setattr(MlflowClient, "create_model_version", cut)
    with pytest.raises(KeyboardInterrupt):
        send(where)
    send(where)

    assert len(shown(where)[1]) == 4
    assert counts(client_of(where)) == {"retraining_pipeline": 4}


def test_a_version_that_a_late_answer_has_made_twice_is_there_once(where, registry):
    send(where)
    client = client_of(where)
    (one,) = [v for v in client.search_model_versions("name = 'churn'") if v.tags["semver"] == "v1.9.0"]
    client.create_model_version("churn", one.source, one.run_id, tags=one.tags, await_creation_for=0)
    registry.register_version(a_version("v2.0.0"))
    send(where)

    kept = [v for v in client.search_model_versions("name = 'churn'") if v.tags["semver"] == "v1.9.0"]
    assert [v.version for v in kept] == [one.version]
    assert "v2.0.0" in shown(where)[1]


def test_a_registered_model_of_somebody_else_is_left_alone(where):
    client = client_of(where)
    client.create_registered_model("churn", {"team": "other"})

    done = send(where)

    assert "other origin" in done.said[0]
    assert client.search_model_versions("name = 'churn'") == []
    assert client.get_registered_model("churn").tags == {"team": "other"}


def test_nothing_is_mirrored_where_the_configuration_says_no(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    where = with_store(furnish("v1.1.0", mirror=False))

    assert send(where).mirrored == ()


def test_it_says_up_to_which_entry_of_the_audit_trail_it_is_right(where, registry):
    send(where)

    newest = registry.audit("churn", limit=1)[0].sequence
    assert client_of(where).get_registered_model("churn").tags[SEQUENCE] == str(newest)


def test_a_second_model_is_mirrored_beside_the_first(where, registry):
    registry.register_version(a_version("v1.0.0", model="fraud"))
    registry.install_first("fraud", "v1.0.0", guards=Guards(), salt="fraud.first", **WHO)

    assert send(where).mirrored == ("churn", "fraud")
