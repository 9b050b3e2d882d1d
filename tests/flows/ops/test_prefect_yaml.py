import inspect
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger

from flows.ops.deployments import load_flow, prefect_yaml, read_deployments, trigger_parameters
from flows.training.politeness import THREADS

DEPLOYMENTS = read_deployments(prefect_yaml())
# Prefect ignores what it does not know at this level, so a typo would be silent.
KNOWN = {
    "name",
    "description",
    "entrypoint",
    "tags",
    "parameters",
    "concurrency_limit",
    "schedules",
    "triggers",
    "work_pool",
}
EVENT = {
    "model": "churn",
    "event_id": "retrain_20260101_001",
    "trigger": "drift",
    "reason": "error rises",
    "as_of": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
}


def named(deployment):
    return deployment["entrypoint"].rpartition(".")[2] + "/" + deployment["name"]


@pytest.fixture(params=DEPLOYMENTS, ids=named)
def deployment(request):
    return request.param


def test_every_entrypoint_loads_and_accepts_its_parameters(deployment):
    flow = load_flow(deployment["entrypoint"])
    parameters = deployment.get("parameters", {})

    assert flow.name == deployment["entrypoint"].rpartition(".")[2].replace("_", "-")
    inspect.signature(flow.fn).bind_partial(**parameters)
    if deployment.get("schedules"):
        inspect.signature(flow.fn).bind(**parameters)
        flow.validate_parameters(parameters)


def test_what_a_trigger_fills_in_is_accepted_as_sent_and_as_left_out(deployment):
    filled = trigger_parameters(deployment)
    if not filled:
        return
    flow = load_flow(deployment["entrypoint"])

    assert set(filled) == set(EVENT)
    flow.validate_parameters(EVENT)
    flow.validate_parameters({**EVENT, "event_id": None, "as_of": None})


def test_no_key_is_misspelt(deployment):
    assert set(deployment) <= KNOWN
    assert all(set(one) == {"cron", "timezone", "slug"} for one in deployment.get("schedules", ()))


def test_a_flow_survives_the_death_of_its_worker(deployment):
    assert deployment["work_pool"]["job_variables"]["stream_output"] is False


def test_training_leaves_the_cores_to_the_router_and_nothing_else_is_set_for_a_flow():
    env = {named(one): one["work_pool"]["job_variables"].get("env", {}) for one in DEPLOYMENTS}
    capped = {name for name, said in env.items() if said}

    assert capped == {"retrain/retrain-on-demand", "retrain/retrain-weekly"}
    assert all(env[name] == THREADS for name in capped)


def test_full_names_are_unique():
    names = [named(deployment) for deployment in DEPLOYMENTS]

    assert len(set(names)) == len(names) == 10


def test_drift_starts_a_retraining():
    retrain = next(one for one in DEPLOYMENTS if named(one) == "retrain/retrain-on-demand")

    (trigger,) = retrain["triggers"]
    assert trigger["expect"] == ["understudy.drift.detected"]
    assert trigger["match"] == {"prefect.resource.id": "understudy.model.*"}
    assert retrain["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_trouble_of_the_router_wakes_the_rollout_of_all_models_and_good_news_do_not():
    rollout = next(one for one in DEPLOYMENTS if named(one) == "rollout/rollout-every-5-minutes")

    (trigger,) = rollout["triggers"]
    assert {kind.rpartition(".")[2] for kind in trigger["expect"]} == {
        *("champion_failing", "degraded", "recovered", "rolled_back", "srm", "stopped")
    }
    assert {kind.rpartition(".")[0] for kind in trigger["expect"]} == {"understudy.router"}
    assert "parameters" not in trigger
    assert rollout["parameters"] == {"model": None}


def test_every_trigger_is_one_that_prefect_understands(deployment):
    for document in deployment.get("triggers", ()):
        trigger = DeploymentEventTrigger.model_validate(document)
        trigger.set_deployment_id(uuid4())

        assert trigger.as_automation().trigger.expect == set(document["expect"])


def test_prefects_server_can_be_imported_with_the_installed_packages():
    done = subprocess.run(
        [sys.executable, "-c", "import prefect.server.api.server"], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
