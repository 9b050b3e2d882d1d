"""Two who begin a rollout at the same moment."""

import threading

import pytest
from rollout_worlds import START, a_config, a_version

from flows.rollout.begin import begin_rollout
from registry.errors import StageConflict
from registry.records.plan import Guards
from registry.store.registry import Registry

WHO = {"actor": "ann", "reason": "a test", "at": START}


@pytest.fixture
def opened(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as registry:
        yield registry


def crowned(registry, model):
    for version in ("v1.0.0", "v1.1.0"):
        registry.register_version(a_version(version, model))
    registry.install_first(model, "v1.0.0", guards=Guards(), salt=f"{model}.first", **WHO)


def at_once(registry, models):
    """Begin one for each of *models*, and say what came of it."""
    together, found = threading.Barrier(len(models)), []

    def begin(model):
        config = a_config(require_approval=True, model=model)
        together.wait()
        try:
            found.append(
                begin_rollout(
                    config, registry, model=model, challenger="v1.1.0", strategy="canary", decision=None, **WHO
                )
            )
        except StageConflict as refusal:
            found.append(refusal)

    threads = [threading.Thread(target=begin, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_rollouts_of_different_models_all_begin_each_under_its_own_name(opened):
    models = [f"m{number}" for number in range(6)]
    for model in models:
        crowned(opened, model)

    found = at_once(opened, models)

    assert sorted(one.id for one in found) == [f"r-{number:04d}" for number in range(1, 7)]
    assert all(one.salt == f"{one.model}.{one.id}" for one in found)
    assert all(opened.gate(one.id).bound_to == one.waiting.bound_to for one in found)


def test_of_two_rollouts_of_one_model_one_begins_and_the_other_hears_of_it(opened):
    crowned(opened, "churn")

    found = at_once(opened, ["churn", "churn"])

    (refused,) = [one for one in found if isinstance(one, StageConflict)]
    assert "r-0001 of v1.1.0 is waiting_approval" in str(refused)
    assert len(opened.rollouts("churn")) == 1
