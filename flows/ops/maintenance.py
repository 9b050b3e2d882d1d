"""The flow `maintenance`: let go of artifacts that nobody needs, and send what still waits for MLflow."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from flows.ops.retention import Pruned, prune_all
from flows.tracking.launch import send_soon
from registry.home import Settings
from registry.store.registry import Registry


@flow(name="maintenance", flow_run_name="maintenance-{model}", retries=2, retry_delay_seconds=30)
def maintenance(
    model: str | None = None, dry_run: bool = False, actor: str = "maintenance", reason: str = "retention"
) -> int:
    """
    Delete the artifacts of old archived and rejected versions, as each configuration's `retention` says.

    What a rollback needs stays, and so does everything that is known of a version.

    Args:
        model: Name of the model; every registered one if absent.
        dry_run: Only say what would go.
        actor: Who asked for it; written into the audit trail.
        reason: Why; written beside it.

    Returns:
        Bytes that were, or would be, freed.
    """
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry:
        models = [model] if model else None
        found = prune_all(settings, registry, models, actor=actor, reason=reason, at=datetime.now(UTC), dry_run=dry_run)
    _show(found, dry_run=dry_run)
    send_soon(settings)
    return sum(one.freed for one in found)


def _show(found: list[Pruned], *, dry_run: bool) -> None:
    rows = [
        {"model": one.model, "version": version, "bytes": size}
        for one in found
        for version, size in one.deleted.items()
    ]
    would = "would be" if dry_run else "were"
    get_run_logger().info("%d artifacts with %d bytes %s deleted", len(rows), sum(one.freed for one in found), would)
    if rows:
        create_table_artifact(rows, key="maintenance", description=f"Artifacts that {would} deleted")
