"""
Apply prefect.yaml to a server, and the rules for runs that crash, fail or are late.

    python -m flows.ops.deploy MARK

It runs in a process of its own beside the starting server, because importing all flows takes
seconds. At the end it writes "done" or "failed" into the file MARK. Applying twice changes nothing.
"""

import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow

from flows.detection.schedules import is_ours
from flows.ops.automations import ensure_rules
from flows.ops.deployments import load_flow, prefect_yaml, read_deployments
from flows.ops.form import form_of
from flows.ops.health import get
from flows.ops.progress import REMOVED, Progress, silent
from flows.ops.retire import retire
from flows.ops.watchers import POOL
from registry.home import Settings


def deploy_all(settings: Settings, *, patience: float = 180.0, progress: Progress = silent) -> dict[str, UUID]:
    """
    Create or update every deployment and automation; those of ours that an earlier version left are removed.

    Args:
        settings: Names the server.
        patience: Seconds to wait for it.
        progress: Told what was removed.

    Returns:
        Id by full name, e.g. "rollout/rollout-every-5-minutes".
    """
    wanted = [(load_flow(one["entrypoint"]), one) for one in read_deployments(prefect_yaml())]
    _wait_for_server(settings, patience)
    with get_client(sync_client=True) as client:
        _ensure_pool(client)
        deployed = {f"{flow.name}/{one['name']}": _apply(client, flow, one) for flow, one in wanted}
        ensure_rules(client, deployed)
        for name in retire(client, deployed.values()):
            progress(f"{REMOVED}{name}")
    return deployed


def _wait_for_server(settings: Settings, patience: float) -> None:
    deadline = time.monotonic() + patience
    while (answer := get(f"{settings.prefect_api_url}/health")) is None or answer.status_code != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{settings.prefect_api_url} did not answer within {patience:g} s")
        time.sleep(0.2)


def _ensure_pool(client: SyncPrefectClient) -> None:
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    client.create_work_pool(
        WorkPoolCreate(name=POOL, type="process", base_job_template=template, is_paused=False), overwrite=True
    )


def _apply(client: SyncPrefectClient, flow: Flow[..., Any], one: Mapping[str, Any]) -> UUID:
    limit = ConcurrencyLimitConfig(**one["concurrency_limit"]) if "concurrency_limit" in one else None
    deployment_id = client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=one["name"],
        description=one["description"],
        entrypoint=one["entrypoint"],
        tags=one["tags"],
        parameters=one.get("parameters", {}),
        schedules=[*map(_schedule, one.get("schedules", ())), *_adapted(client, f"{flow.name}/{one['name']}")],
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=ConcurrencyOptions(collision_strategy=limit.collision_strategy) if limit else None,
        work_pool_name=one["work_pool"]["name"],
        work_queue_name=one["work_pool"]["work_queue_name"],
        job_variables=one["work_pool"]["job_variables"],
        pull_steps=[],
        parameter_openapi_schema=form_of(flow),
        enforce_parameter_schema=True,
        paused=False,
    )
    _apply_triggers(client, deployment_id, one.get("triggers", ()))
    return deployment_id


def _schedule(item: Mapping[str, Any]) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(
        schedule=CronSchedule(cron=item["cron"], timezone=item["timezone"]),
        slug=item["slug"],
        active=item.get("active", True),
        parameters=item.get("parameters", {}),
    )


def _adapted(client: SyncPrefectClient, name: str) -> list[DeploymentScheduleCreate]:
    """Schedules that were set to the pace of a model; deploying again leaves them."""
    try:
        known = client.read_deployment_by_name(name).schedules
    except ObjectNotFound:
        return []
    return [
        DeploymentScheduleCreate(schedule=item.schedule, slug=item.slug, active=item.active, parameters=item.parameters)
        for item in known
        if is_ours(item.slug)
    ]


def _apply_triggers(client: SyncPrefectClient, deployment_id: UUID, triggers: Any) -> None:
    client.delete_resource_owned_automations(f"prefect.deployment.{deployment_id}")
    for document in triggers:
        trigger = DeploymentEventTrigger.model_validate(document)
        trigger.set_deployment_id(deployment_id)
        client.create_automation(trigger.as_automation())


def _print(said: str) -> None:
    """Into the log of this process."""
    print(said)  # noqa: T201


def main(mark: Path) -> int:
    """Deploy, and leave word in *mark*."""
    try:
        for name in deploy_all(Settings(), progress=_print):
            _print(name)
    except Exception:  # noqa: BLE001  whatever it is, `up` shows it
        traceback.print_exc()
        mark.write_text("failed")
        return 1
    mark.write_text("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
