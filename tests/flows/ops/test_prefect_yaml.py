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
    inspect.signature(flow.fn).bind(**parameters)
    flow.validate_parameters(parameters)


def test_what_a_trigger_fills_in_is_accepted_as_sent_and_as_left_out(deployment):
    filled = trigger_parameters(deployment)
    if not filled:
        return
    flow = load_flow(deployment["entrypoint"])

    sent = {name: EVENT[name] for name in filled}
    assert set(sent) in ({"model"}, set(EVENT))
    flow.validate_parameters(sent)
    flow.validate_parameters(sent | dict.fromkeys(set(sent) & {"event_id", "as_of"}))


def test_no_key_is_misspelt(deployment):
    assert set(deployment) <= KNOWN
    assert all(set(one) == {"cron", "timezone", "slug"} for one in deployment.get("schedules", ()))


def test_a_flow_survives_the_death_of_its_worker(deployment):
    assert deployment["work_pool"]["job_variables"]["stream_output"] is False


def test_training_leaves_the_cores_to_the_router_and_nothing_else_is_set_for_a_flow():
    env = {named(one): one["work_pool"]["job_variables"].get("env", {}) for one in DEPLOYMENTS}
    capped = {name for name, said in env.items() if said}

    assert capped == {name for name in env if name.partition("/")[0] in ("retrain", "backtest")}
    assert len(capped) == 6
    assert all(env[name] == THREADS for name in capped)


def test_full_names_are_unique():
    names = [named(deployment) for deployment in DEPLOYMENTS]

    assert len(set(names)) == len(names)


def test_every_work_that_people_expect_is_deployed():
    flows = {named(deployment).partition("/")[0] for deployment in DEPLOYMENTS}

    assert flows >= {
        *("monitor", "retrain", "compare", "rollout", "promote", "rollback", "watch", "incident"),
        *("daily_report", "backtest", "maintenance", "recover", "alert"),
    }


def test_every_parameter_has_a_default_and_is_explained(deployment):
    flow = load_flow(deployment["entrypoint"])
    schema = flow.parameters.model_dump()

    assert schema["required"] == []
    assert all(said.get("description") for said in schema["properties"].values()), schema["properties"]


BAD = [
    ("model", "Not A Name"),
    ("version", "1.2"),
    ("event_id", "yesterday"),
    ("trigger", "whim"),
    ("actor", ""),
    ("rows", 0),
    ("keep_log_days", 0),
    ("warmup", 0),
    ("batch", "often"),
    ("run", "the last one"),
]


def test_the_server_refuses_what_cannot_be_and_says_which_field_and_why(deployment):
    from prefect.utilities.schema_tools.validation import ValidationError, validate

    schema = load_flow(deployment["entrypoint"]).parameters.model_dump()
    for name, value in BAD:
        if name in schema["properties"]:
            with pytest.raises(ValidationError, match=f"field '{name}'.*Failure reason: "):
                validate({name: value}, schema, raise_on_error=True)

    assert schema["properties"]


def test_only_work_that_hands_no_caller_over_is_repeated_by_itself():
    repeated = {named(one).partition("/")[0] for one in DEPLOYMENTS if "repeatable" in one["tags"]}

    assert repeated.isdisjoint({"promote", "rollback", "rollout", "watch", "alert", "recover"})
    assert {"retrain", "monitor", "maintenance", "daily_report"} <= repeated


def test_people_hear_of_everything_but_of_those_who_tell_them():
    silent = {named(one).partition("/")[0] for one in DEPLOYMENTS if "alerting" not in one["tags"]}

    assert silent == {"alert", "recover"}


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
