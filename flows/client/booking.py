"""Extra runs of a deployment at a given time: one that waits per purpose."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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


class Appointment(NamedTuple):
    """
    A run that is wanted.

    Attributes:
        deployment: Full name, e.g. "monitor/monitor-on-demand".
        tag: Names its purpose; one run with it waits at a time.
        parameters: Of the run.
        at: When it begins.
        slack: A run that waits and begins at most so much later suffices.
    """

    deployment: str
    tag: str
    parameters: Mapping[str, Any]
    at: datetime
    slack: timedelta = timedelta(0)


def book(wanted: Appointment, reason: str) -> bool:
    """
    Book a run; a later one that waits already gives way, an earlier one suffices.

    Args:
        wanted: At most one run per tag and second can be booked.
        reason: Shown where a later one was called off.

    Returns:
        Whether a run was added.

    Raises:
        Exception: Whatever Prefect's client raises, if its server is away or does not know the deployment.
    """
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(wanted.deployment).id
        waiting = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
                tags=FlowRunFilterTags(all_=[wanted.tag]),
            ),
        )
        later = [run for run in waiting if not _suffices(run, wanted)]
        if len(later) < len(waiting):
            return False
        client.create_flow_run_from_deployment(
            deployment,
            parameters=dict(wanted.parameters),
            state=Scheduled(scheduled_time=wanted.at),
            tags=[wanted.tag],
            idempotency_key=f"{wanted.tag}@{wanted.at:%Y-%m-%dT%H:%M:%S}",
        )
        _call_off(client, later, reason)
    return True


def _suffices(run: FlowRun, wanted: Appointment) -> bool:
    return run.expected_start_time is not None and run.expected_start_time <= wanted.at + wanted.slack


def _call_off(client: SyncPrefectClient, runs: list[FlowRun], reason: str) -> None:
    for run in runs:
        client.set_flow_run_state(run.id, Cancelled(message=f"An earlier run was booked: {reason}"), force=True)
