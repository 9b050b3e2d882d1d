"""Extra looks, as scheduled runs of a deployment of Prefect."""

from datetime import datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Scheduled

DEPLOYMENT = "monitor/monitor-on-demand"
_SLACK = timedelta(minutes=5)


def book(model: str, at: datetime, reason: str) -> bool:
    """
    Have a model looked at once more; a later extra look that waits already gives way, an earlier one suffices.

    Args:
        model: Name of the model.
        at: When; at most one extra look per model and minute can be booked.
        reason: Shown where a later one was called off.

    Returns:
        Whether a run was added.

    Raises:
        Exception: Whatever Prefect's client raises, if its server is away or does not know the deployment.
    """
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT).id
        waiting = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
                tags=FlowRunFilterTags(all_=[tag(model)]),
            ),
        )
        later = [run for run in waiting if not _suffices(run, at)]
        if len(later) < len(waiting):
            return False
        client.create_flow_run_from_deployment(
            deployment,
            parameters={"model": model},
            state=Scheduled(scheduled_time=at),
            tags=[tag(model)],
            idempotency_key=f"{tag(model)}@{at:%Y-%m-%dT%H:%M}",
        )
        _call_off(client, later, reason)
    return True


def tag(model: str) -> str:
    """Mark of the extra looks at a model."""
    return f"extra-look:{model}"


def _suffices(run: FlowRun, at: datetime) -> bool:
    return run.expected_start_time is not None and run.expected_start_time <= at + _SLACK


def _call_off(client: SyncPrefectClient, runs: list[FlowRun], reason: str) -> None:
    for run in runs:
        client.set_flow_run_state(run.id, Cancelled(message=f"An earlier look was booked: {reason}"), force=True)
