"""Runs of the flow `approval` on the Prefect server: one that waits for each question, none for an old one."""

import logging
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Scheduled

from flows.client.clock import lives_in_another_time
from flows.rollout.desk import Desk, moment
from registry.approval import LEAST_DIGEST
from registry.records.base import utc
from registry.records.gate import GateState
from registry.records.rollout import Rollout
from registry.store.registry import Registry

log = logging.getLogger("understudy.gate")

DEPLOYMENT = "approval/approval-gate"
_UNFINISHED = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]
_DIED = (StateType.CRASHED, StateType.FAILED)
_MOST_TRIES = 50
_HALF_MADE = timedelta(minutes=2)


def ensure_gate(desk: Desk, rollout: Rollout) -> FlowRun | None:
    """
    Make sure that the form of *rollout* can be filled in on the Prefect server; cheap, and safe at every look.

    A run that died takes up again what people have answered. Without a server, people still have the
    command line and the admin port: it is only logged.

    Args:
        desk: Owns registry and configuration.
        rollout: As stored.

    Returns:
        The run that waits; None if there is none, or none is wanted.
    """
    state = desk.registry.gate(rollout.id)
    if not _wants_form(desk, rollout, state) or not PREFECT_API_URL.value():
        return None
    try:
        with get_client(sync_client=True) as client:
            return _ensure(client, _open_runs(client), state)
    except Exception as error:  # noqa: BLE001  whatever it is, the rollout goes on
        log.warning("%s: no form on the Prefect server: %s", rollout.id, type(error).__name__)
        return None


def tend_forms(desk: Desk, model: str) -> None:
    """
    End forms whose question is over, and make the one that is missing; for the end of every look.

    Args:
        desk: Owns registry and configuration.
        model: The one that was looked at.
    """
    if not PREFECT_API_URL.value() or not desk.registry.rollouts(model):
        return
    active = desk.registry.active_rollout(model)
    state = desk.registry.gate(active.id) if active else None
    try:
        with get_client(sync_client=True) as client:
            runs = _open_runs(client)
            _end_old(client, desk.registry, runs)
            if active and state and _wants_form(desk, active, state):
                _ensure(client, runs, state)
    except Exception as error:  # noqa: BLE001  whatever it is, the rollout goes on
        log.warning("%s: forms on the Prefect server were not looked at: %s", model, type(error).__name__)


def marks(state: GateState) -> list[str]:
    """Tags of a run: which question it asks."""
    return [f"rollout:{state.rollout}", f"report:{state.bound_to[:LEAST_DIGEST]}"]


def over(state: GateState, bound_to: str) -> str:
    """Say why a question is over, or nothing while people are still wanted."""
    if state.status not in ("waiting_approval", "running", "paused"):
        return f"{state.rollout} is {state.status.replace('_', ' ')}: {state.said}"
    if not state.bound_to.startswith(bound_to):
        return f"What was asked has changed since; people are asked again about {state.bound_to[:LEAST_DIGEST]}."
    if state.complete:
        return "Everybody has agreed: " + ", ".join(f"{one.actor} as {one.role}" for one in state.signed) + "."
    if state.question is None:
        return f"{state.rollout} does not wait for people any more."
    return ""


def _wants_form(desk: Desk, rollout: Rollout, state: GateState) -> bool:
    waits = rollout.status == "waiting_approval" and not state.complete
    if not waits or lives_in_another_time(desk.settings, rollout.model):
        return False
    return desk.config(rollout.model).approval.form


def _open_runs(client: SyncPrefectClient) -> list[FlowRun]:
    deployment = client.read_deployment_by_name(DEPLOYMENT).id
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNFINISHED))),
    )


def _ensure(client: SyncPrefectClient, runs: list[FlowRun], state: GateState) -> FlowRun | None:
    found = next((run for run in runs if set(marks(state)) <= set(run.tags)), None)
    if found is not None and not _lost_its_form(client, found):
        return found
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    run = client.create_flow_run_from_deployment(
        deployment.id,
        parameters={"rollout": state.rollout},
        name=f"{state.model}-{state.challenger}-{state.bound_to[:LEAST_DIGEST]}",
        tags=[*deployment.tags, *marks(state)],
        idempotency_key=_key(state, found),
    )
    if run.state_type in _DIED and run.run_count < _MOST_TRIES:  # its answers are kept, and are read again
        client.set_flow_run_state(run.id, Scheduled(message="Taken up again."), force=True)
    return run


def _key(state: GateState, lost: FlowRun | None) -> str:
    return f"{state.rollout}:{state.bound_to}" + (f":{lost.id}" if lost else "")


def _lost_its_form(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether it was killed between falling asleep and showing its form; then nobody could ever wake it."""
    keys = run.state.state_details.run_input_keyset if run.state else None
    if run.state is None or run.state_type != StateType.PAUSED or not keys:
        return False
    if utc(run.state.timestamp) > moment(None) - _HALF_MADE:
        return False
    kept = client.request(
        "POST", "/flow_runs/{id}/input/filter", path_params={"id": run.id}, json={"prefix": keys["schema"]}
    )
    if kept.json():
        return False
    client.set_flow_run_state(run.id, Cancelled(message="It was killed before its form was there."), force=True)
    return True


def _end_old(client: SyncPrefectClient, registry: Registry, runs: list[FlowRun]) -> None:
    for run in runs:
        asked = {name: value for name, _, value in (tag.partition(":") for tag in run.tags)}
        if run.state_type != StateType.PAUSED or not {"rollout", "report"} <= set(asked):
            continue  # one that runs finds it out by itself
        why = over(registry.gate(asked["rollout"]), asked["report"])
        if why:
            client.set_flow_run_state(run.id, Cancelled(message=why), force=True)
