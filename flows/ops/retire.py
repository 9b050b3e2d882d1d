"""Deployments and rules of an earlier version that are no more: they would go on by their old schedules for ever."""

from collections.abc import Collection
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse

from flows.ops.rule_names import NAMES, PREFIX
from flows.ops.runs import OURS
from flows.ops.watchers import POOL

_ROOM = "flows."


def retire(client: SyncPrefectClient, kept: Collection[UUID]) -> list[str]:
    """
    Remove deployments and rules of ours that are deployed no more, with their schedules and triggers.

    Runs that are under way come to their own end, and stay to be seen.

    Args:
        kept: Ids of the deployments that there are.

    Returns:
        Names of what was removed.
    """
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS]))
    found = client.read_deployments(deployment_filter=ours)
    return [*(_remove(client, one) for one in found if is_ours(one) and one.id not in kept), *_retire_rules(client)]


def is_ours(one: DeploymentResponse) -> bool:
    """Whether we made it: its tag, its pool and its flow are ours. What other people made lacks one of these."""
    return OURS in one.tags and one.work_pool_name == POOL and (one.entrypoint or "").startswith(_ROOM)


def _remove(client: SyncPrefectClient, one: DeploymentResponse) -> str:
    client.delete_resource_owned_automations(f"prefect.deployment.{one.id}")
    client.delete_deployment(one.id)
    return f"{client.read_flow(one.flow_id).name}/{one.name}"


def _retire_rules(client: SyncPrefectClient) -> list[str]:
    old = [one for one in client.read_automations() if one.name.startswith(PREFIX) and one.name not in NAMES]
    for one in old:
        client.delete_automation(one.id)
    return [one.name for one in old]
