"""The real thing: circusd, Prefect's server and worker, router, control and shadow."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from waiting import until

from flows.detection.rhythm import Crons
from flows.detection.schedules import apply_pace
from flows.ops.automations import NAMES as NAMES_OF_RULES
from flows.ops.deploy import deploy_all
from flows.ops.deployments import load_flow, prefect_yaml, read_deployments
from flows.ops.down import down
from flows.ops.environment import MARK, prefect_environment, settings_environment
from flows.ops.errors import PortBusy, StartFailed
from flows.ops.health import status
from flows.ops.ports import free_port
from flows.ops.progress import REMOVED
from flows.ops.supervisor import belongings, supervisor_pid
from flows.ops.up import up
from flows.ops.watchers import POOL
from registry.home import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
NAMES = ["prefect-server", "prefect-worker", "router", "control", "shadow"]


def settings_in(folder):
    return Settings(home=folder / "state", router_port=free_port(), admin_port=free_port(), prefect_port=free_port())


def marked(settings):
    found = []
    for one in psutil.process_iter():
        try:
            if one.status() != psutil.STATUS_ZOMBIE and one.environ().get(MARK) == str(settings.home):
                found.append(one)
        except psutil.Error:
            continue
    return found


def send(prefect, name, resource, payload):
    now = datetime.now(UTC).isoformat()
    event = {
        "id": str(uuid4()),
        "occurred": now,
        "event": name,
        "resource": {"prefect.resource.id": resource},
        "payload": payload,
    }
    prefect.request("POST", "/events", json=[event])


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("system"))
    try:
        assert up(settings).healthy
        yield settings
    finally:
        down(settings)
        assert marked(settings) == []


@pytest.fixture
def prefect(system):
    """A client of the running server, whatever this process believes about Prefect."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: system.prefect_api_url}), get_client(sync_client=True) as client:
        yield client


def process(settings, name):
    return next(one for one in status(settings).processes if one.name == name)


def test_up_when_it_is_up_says_so_and_starts_nothing(system):
    before, said = {one.pid for one in status(system).processes}, []
    again = up(system, progress=said.append)

    assert again.already_up
    assert "it is up already" in said
    assert {one.pid for one in again.processes} == before


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_comes_back(system, name):
    victim = process(system, name).pid
    os.kill(victim, signal.SIGKILL)

    successor = until(lambda: (pid := process(system, name).pid) != victim and pid, 5)
    assert until(lambda: process(system, name).health == "healthy", 60)
    assert process(system, name).pid == successor
    assert not psutil.pid_exists(victim)


def test_every_deployment_is_there_and_deploying_again_changes_nothing(system, prefect):
    before = deploy_all(system)
    after = deploy_all(system)

    assert len(before) == len(read_deployments(prefect_yaml()))
    assert before == after
    assert len(prefect.read_deployments()) == len(before)
    names = sorted(one.name for one in prefect.read_automations())
    assert names == sorted(
        [
            "look-at-a-better-challenger",
            "look-when-the-router-is-in-trouble",
            "retrain-on-drift",
            "write-up-an-alarm-of-the-router",
            *NAMES_OF_RULES,
        ]
    )


def test_the_pace_of_a_model_shows_in_its_schedules_and_deploying_again_leaves_them(system, prefect):
    def shown(name):
        found = prefect.read_deployment_by_name(name).schedules
        return {one.slug: (one.schedule.cron, one.parameters.get("full")) for one in found}

    fast, calm = Crons("15 */2 * * *", "0 3 * * *", rebuild=False), Crons(None, "0 20 * * 0#1", rebuild=True)
    changed = [apply_pace(prefect, "churn", pace, "UTC") for pace in (fast, fast)]
    deploy_all(system)

    assert changed == [True, False]
    assert shown("retrain/retrain-adaptive") == {"adaptive-churn": ("0 3 * * *", False)}
    assert shown("monitor/monitor-every-6-hours")["adaptive-churn"] == ("15 */2 * * *", None)
    assert apply_pace(prefect, "churn", calm, "UTC")
    assert shown("retrain/retrain-adaptive") == {"adaptive-churn": ("0 20 * * 0#1", True)}
    assert set(shown("monitor/monitor-every-6-hours")) == {"every-6-hours"}
    assert apply_pace(prefect, "churn", None, "UTC")
    assert shown("retrain/retrain-adaptive") == {}


def deployed_by_hand(prefect, name, **changes):
    """A deployment as an earlier version made it, unless something differs; it has a schedule and a trigger."""
    said = {"tags": ["understudy", "maintenance"], "entrypoint": "flows.ops.recover.recover", "work_pool_name": POOL}
    hourly = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 * * * *"))
    flow = prefect.create_flow_from_name("recover")
    made = prefect.create_deployment(flow, name, schedules=[hourly], **(said | changes))
    trigger = DeploymentEventTrigger(name=f"wakes {name}", expect={"somebody.called"})
    trigger.set_deployment_id(made)
    prefect.create_automation(trigger.as_automation())
    return made


def test_what_an_earlier_version_deployed_is_removed_and_said_and_nothing_of_other_people_is(system, prefect):
    deployed_by_hand(prefect, "recover-hourly")
    foreign = {
        deployed_by_hand(prefect, "untagged", tags=["recover"]),
        deployed_by_hand(prefect, "their-flow", entrypoint="recover.py:recover"),
        deployed_by_hand(prefect, "elsewhere", work_pool_name=None),
    }
    rule = AutomationCore(
        name="understudy: of old", trigger=EventTrigger(expect={"nothing"}), actions=[DoNothing(type="do-nothing")]
    )
    prefect.create_automation(rule)
    said = []

    deployed = deploy_all(system, progress=said.append)

    rules = {one.name for one in prefect.read_automations()}
    left = {one.id for one in prefect.read_deployments()}
    for one in foreign:
        prefect.delete_resource_owned_automations(f"prefect.deployment.{one}")
        prefect.delete_deployment(one)
    assert said == [f"{REMOVED}recover/recover-hourly", f"{REMOVED}understudy: of old"]
    assert left == foreign | set(deployed.values())
    assert "wakes recover-hourly" not in rules
    assert {"wakes untagged", "wakes their-flow", "wakes elsewhere"} <= rules


def test_bad_parameters_are_refused_at_once_with_field_and_reason(prefect):
    from prefect.exceptions import PrefectHTTPStatusError

    deployment = prefect.read_deployment_by_name("compare/compare-on-demand")

    with pytest.raises(PrefectHTTPStatusError, match=r"field 'rows'\. Failure reason: 0 is less than the minimum of 1"):
        prefect.create_flow_run_from_deployment(deployment.id, parameters={"rows": 0})


def test_an_unknown_model_fails_the_run_and_its_state_says_what_to_do(prefect):
    deployment = prefect.read_deployment_by_name("promote/promote-on-demand")
    run = prefect.create_flow_run_from_deployment(deployment.id, parameters={"model": "stranger"})

    state = until(lambda: one if (one := prefect.read_flow_run(run.id).state).is_final() else None, 90)
    assert state.is_failed()
    assert "There is no model 'stranger'. Why: Registered: none. Mend: Register it: " in state.message


def test_cron_deployments_get_scheduled_runs(prefect):
    def scheduled():
        deployments = {one.id for one in prefect.read_deployments() if one.schedules}
        planned = {run.deployment_id for run in prefect.read_flow_runs() if run.state.is_scheduled()}
        return deployments and deployments <= planned

    assert until(scheduled, 90)


def test_a_deployment_runs(prefect):
    deployment = prefect.read_deployment_by_name("maintenance/maintenance-daily")  # its schedule is far from now
    run = prefect.create_flow_run_from_deployment(deployment.id, parameters={"model": None})

    def ended():
        state = prefect.read_flow_run(run.id).state
        return state if state.is_final() else None

    assert until(ended, 90).is_completed()


def test_a_drift_event_starts_a_retraining_of_that_model(system, prefect):
    payload = {"model": "nobody", "event_id": "retrain_20260101_001", "trigger": "drift", "reason": "test"}
    send(prefect, "understudy.drift.detected", "understudy.model.nobody", payload)

    def run():
        return next((one for one in prefect.read_flow_runs() if one.parameters.get("model") == "nobody"), None)

    parameters = until(run, 30).parameters
    assert parameters["event_id"] == "retrain_20260101_001"
    assert parameters["trigger"] == "drift"
    assert parameters["as_of"] is None


@pytest.mark.long
def test_a_run_without_heartbeat_becomes_crashed(prefect):
    """Process and worker are both gone: nobody is left to say so but the server."""
    from prefect.states import Running

    deployment = prefect.read_deployment_by_name("rollback/rollback-on-demand")
    run = prefect.create_flow_run(load_flow(deployment.entrypoint), state=Running())
    send(prefect, "prefect.flow-run.heartbeat", f"prefect.flow-run.{run.id}", {})

    assert until(lambda: prefect.read_flow_run(run.id).state.is_crashed(), 180)


def test_a_killed_supervisor_takes_everything_along_and_up_mends_it(system):
    os.kill(supervisor_pid(system), signal.SIGKILL)
    until(lambda: not status(system).up, 5)
    assert up(system).healthy


def test_down_leaves_nothing_behind_and_a_second_one_says_so(tmp_path):
    settings, said = settings_in(tmp_path), []
    up(settings, wait=False)
    until(lambda: process(settings, "control").health == "healthy", 60)

    assert not down(settings).up
    assert marked(settings) == belongings(settings) == []
    down(settings, progress=said.append)
    assert said == ["nothing was running"]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_attached_up_stops_everything_when_it_is_told_to(tmp_path, told):
    settings = settings_in(tmp_path)
    code = "from flows.ops.up import up; from registry.home import Settings; up(Settings(), wait=False, detach=False)"
    attached = subprocess.Popen([sys.executable, "-c", code], env=os.environ | settings_environment(settings))
    until(lambda: process(settings, "control").health == "healthy", 60)
    attached.send_signal(told)

    assert attached.wait(60) == 0
    assert marked(settings) == []


def test_a_busy_port_stops_everything_before_it_starts(tmp_path):
    import socket

    settings = settings_in(tmp_path)
    with socket.socket() as held:
        held.bind(("127.0.0.1", settings.router_port))
        held.listen()
        with pytest.raises(PortBusy, match=f"port {settings.router_port}"):
            up(settings)

    assert marked(settings) == []


def test_a_failed_start_shows_the_last_lines_of_the_log_and_leaves_nothing_behind(tmp_path, monkeypatch):
    broken = tmp_path / "path" / "router"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "control.py").write_text('raise SystemExit("broken on purpose")')
    for name in ("serve", "shadow"):
        (broken / f"{name}.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent), prepend=os.pathsep)
    settings = settings_in(tmp_path)

    with pytest.raises(StartFailed, match="broken on purpose"):
        up(settings)

    assert marked(settings) == []


def test_the_server_runs_in_the_state_folder(system):
    server = psutil.Process(process(system, "prefect-server").pid)

    assert server.environ()["PREFECT_HOME"] == prefect_environment(system)["PREFECT_HOME"]
    assert (system.prefect_home / "prefect.db").exists()
