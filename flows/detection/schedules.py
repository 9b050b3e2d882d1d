"""Schedules of one model, in Prefect: made, changed and removed as its pace says."""

from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

from flows.detection.rhythm import Crons

LOOKS = "monitor/monitor-every-6-hours"
RETRAININGS = "retrain/retrain-adaptive"
_OURS = "adaptive-"


def slug(model: str) -> str:
    """Name of the schedules of a model; nobody else's begin like it."""
    return f"{_OURS}{model}"


def is_ours(name: str | None) -> bool:
    """Whether a schedule was set by us, and must outlive a new deployment."""
    return name is not None and name.startswith(_OURS)


def show_pace(model: str, wanted: Crons | None, timezone: str) -> bool:
    """
    Let the deployments have the schedules that *model* should have; None removes them.

    Returns:
        Whether something was changed. Outside of a deployment's run nothing is.

    Raises:
        Exception: Whatever Prefect's client raises, if its server is away or does not know the deployments.
    """
    if runtime.deployment.id is None:
        return False
    with get_client(sync_client=True) as client:
        return apply_pace(client, model, wanted, timezone)


def apply_pace(client: SyncPrefectClient, model: str, wanted: Crons | None, timezone: str) -> bool:
    """Do so, with a client."""
    look = wanted.look if wanted else None
    changed = _keep(client, LOOKS, model, look, timezone, {"model": model})
    parameters = {
        "model": model,
        "trigger": "schedule",
        "full": bool(wanted and wanted.rebuild),
        "reason": "scheduled at the pace that its looks recommend",
    }
    return _keep(client, RETRAININGS, model, wanted.retrain if wanted else None, timezone, parameters) or changed


def _keep(
    client: SyncPrefectClient, deployment: str, model: str, cron: str | None, timezone: str, parameters: dict[str, Any]
) -> bool:
    found = client.read_deployment_by_name(deployment)
    known = [one for one in client.read_deployment_schedules(found.id) if one.slug == slug(model)]
    if cron is None:
        return _removed(client, found.id, known)
    schedule = CronSchedule(cron=cron, timezone=timezone)
    if any(_is(one, schedule, parameters) for one in known):
        return False
    _removed(client, found.id, known)
    wanted = DeploymentScheduleCreate(schedule=schedule, slug=slug(model), active=True, parameters=parameters)
    client.create_deployment_schedules(found.id, [wanted])
    return True


def _is(known: DeploymentSchedule, wanted: CronSchedule, parameters: dict[str, Any]) -> bool:
    now = known.schedule
    same = isinstance(now, CronSchedule) and (now.cron, now.timezone) == (wanted.cron, wanted.timezone)
    return same and known.parameters == parameters


def _removed(client: SyncPrefectClient, deployment: UUID, known: list[DeploymentSchedule]) -> bool:
    for one in known:
        client.delete_deployment_schedule(deployment, one.id)
    return bool(known)
