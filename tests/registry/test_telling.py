"""What a person does to a rollout is told with it; who wanted it and why is not."""

import msgspec
import pytest
from registry_making import NOON, a_rollout, install

from registry.errors import StageConflict
from registry.steering import abort, pause, resume, skip
from registry.store.registry import Registry

WHY = "Ann Smith called from Atlantis"


@pytest.fixture
def registry(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as registry:
        install(registry, "v1.1.0")
        policy = msgspec.structs.replace(a_rollout().policy, require_approval=False)
        registry.start_rollout(a_rollout(policy=policy), actor="test", reason="test", at=NOON)
        yield registry


def told(registry):
    return [(one.kind, one.title) for one in reversed(registry.notices())]


def test_steering_is_told_in_order_and_without_the_reason(registry):
    for act in (pause, resume, skip, abort):
        act(registry, "churn", actor="bob", reason=WHY, at=NOON)

    assert told(registry) == [
        ("rollout.moved", "churn: the rollout of v1.1.0 was steered"),
        ("rollout.moved", "churn: the rollout of v1.1.0 was steered"),
        ("rollout.moved", "churn: the rollout of v1.1.0 was steered"),
        ("rollout.aborted", "churn: the rollout of v1.1.0 was ended"),
    ]
    assert not any("Atlantis" in one.body or "bob" in one.body for one in registry.notices())


def test_a_last_step_that_a_person_takes_is_told_as_a_promotion(registry):
    for _ in a_rollout().steps:
        skip(registry, "churn", actor="bob", reason=WHY, at=NOON)
    skip(registry, "churn", actor="bob", reason=WHY, at=NOON)

    assert told(registry)[-1] == ("rollout.promoted", "churn: v1.1.0 is the champion")


def test_what_was_refused_is_not_told(registry):
    pause(registry, "churn", actor="bob", reason=WHY, at=NOON)
    with pytest.raises(StageConflict):
        skip(registry, "churn", actor="bob", reason=WHY, at=NOON)

    assert len(told(registry)) == 1
