"""The flow `maintenance`: let go of what nobody needs, and send what still waits for MLflow."""

from datetime import UTC, datetime, timedelta

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.client.naming import named
from flows.client.patience import JITTER, WAITS, may_pass
from flows.config.forms import Actor, Days, ModelName, Reason
from flows.config.load import named_model
from flows.ops.log_upkeep import Upkeep, look_after_log
from flows.ops.retention import Pruned, prune_all
from flows.tracking.launch import send_soon
from registry.home import Settings
from registry.store.registry import Registry

_lasting = task(
    retries=len(WAITS),
    retry_delay_seconds=list(WAITS),
    retry_jitter_factor=JITTER,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
)


@flow(name="maintenance", flow_run_name=named("maintenance"), timeout_seconds=3600)
def maintenance(
    model: ModelName | None = None,
    dry_run: bool = False,
    actor: Actor = "maintenance",
    reason: Reason = "retention",
    event_log: bool = True,
    keep_log_days: Days | None = None,
) -> int:
    """
    Delete the artifacts of old archived and rejected versions, as each configuration's `retention` says.

    What a rollback needs stays, and so does everything that is known of a version. The event log is compacted into
    Parquet tables, and its old segments go.

    Args:
        model: Name of the model; every registered one if empty.
        dry_run: Only say what would go.
        actor: Who asked for it; written into the audit trail.
        reason: Why; written beside it.
        event_log: Whether the event log is looked after, too; it is of all models.
        keep_log_days: Age up to which its segments stay; all stay if empty. What is gone is in the Parquet tables.

    Returns:
        Bytes that were, or would be, freed.
    """
    settings = Settings().prepare()
    found = prune_artifacts(settings, model, actor, reason, dry_run)
    kept = look_after_events(settings, keep_log_days, dry_run) if event_log else Upkeep()
    _show(found, kept, dry_run=dry_run)
    send_soon(settings)
    return sum(one.freed for one in found) + kept.freed


@_lasting
def prune_artifacts(settings: Settings, model: str | None, actor: str, reason: str, dry_run: bool) -> list[Pruned]:
    """Free the space of versions that no rollback needs."""
    with Registry.open(settings.registry_url) as registry:
        models = [named_model(model, settings)] if model else None
        return prune_all(settings, registry, models, actor=actor, reason=reason, at=datetime.now(UTC), dry_run=dry_run)


@_lasting
def look_after_events(settings: Settings, keep_days: int | None, dry_run: bool) -> Upkeep:
    """Compact the event log, and remove what is old."""
    return look_after_log(settings, keep=timedelta(days=keep_days) if keep_days else None, dry_run=dry_run)


def _show(found: list[Pruned], kept: Upkeep, *, dry_run: bool) -> None:
    rows = [
        {"model": one.model, "version": version, "bytes": size}
        for one in found
        for version, size in one.deleted.items()
    ]
    would = "would be" if dry_run else "were"
    get_run_logger().info("%d artifacts with %d bytes %s deleted", len(rows), sum(one.freed for one in found), would)
    get_run_logger().info("%s%s", "dry run: " if dry_run else "", kept.said)
    if rows:
        create_table_artifact(rows, key="maintenance", description=f"Artifacts that {would} deleted")
