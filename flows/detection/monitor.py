"""The flow that looks after every model."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from flows.client import RouterClient
from flows.client.clock import lives_in_another_time
from flows.config.load import registered_config
from flows.detection.look import Look
from flows.detection.showing.markdown import markdown_of, table_of
from flows.detection.standard import read_kept
from flows.detection.watch import Watched, watch
from flows.reports.drift.report import drift_report
from flows.reports.page import write_report
from registry.artifacts import ArtifactStore
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.store.registry import Registry

DRIFT_DETECTED = "understudy.drift.detected"


@flow(name="monitor", flow_run_name="monitor-{model}", retries=2, retry_delay_seconds=5)
def monitor(model: str | None = None, as_of: datetime | None = None) -> dict[str, Any]:
    """
    Look for drift and degradation, and ask for a retraining where a rule says so.

    Args:
        model: Name of the model; every registered one if empty.
        as_of: The model's clock; now if empty. Replays set it.

    Returns:
        By model, or of the one model: triggered, event_id and the decision.
    """
    settings = Settings().prepare()
    if model is not None:
        return look_after(settings, model, as_of or datetime.now(UTC))
    known = sorted(path.stem for path in settings.configs_dir.glob("*.yaml"))
    names = [name for name in known if as_of is not None or not lives_in_another_time(settings, name)]
    return {name: _patiently(settings, name, as_of or datetime.now(UTC)) for name in names}


@task(retries=2, retry_delay_seconds=[1, 5])
def look_after(settings: Settings, model: str, now: datetime) -> dict[str, Any]:
    """Look at one model, show what was found, and wake the retraining."""
    config = registered_config(model, settings)
    artifacts = ArtifactStore(settings.models_dir)
    with Registry.open(settings.registry_url) as registry, RouterClient(settings) as client:
        seen = watch(config, registry, client, lambda version: read_kept(artifacts, version), now)
    look = seen.look
    _show(settings, seen)
    if look.event_id is not None:
        _wake(look)
    get_run_logger().info("%s: %s", model, "; ".join(look.decision.causes) or look.drift.said)
    return {
        "triggered": look.event_id is not None,
        "event_id": look.event_id,
        "held_back": look.held_back,
        "decision": look.decision.to_dict(),
    }


def _patiently(settings: Settings, model: str, now: datetime) -> dict[str, Any]:
    """A model that cannot be looked at must not hide the others."""
    try:
        return look_after(settings, model, now)
    except NotFound as error:
        return {"triggered": False, "event_id": None, "held_back": str(error), "decision": None}
    except Refusal as error:
        get_run_logger().error("%s: %s", model, error)
        return {"triggered": False, "event_id": None, "held_back": str(error), "decision": None}


def _show(settings: Settings, seen: Watched) -> None:
    look, file = seen.look, _written(settings, seen)
    where = f"\n\nThe whole report, with pictures: `{file}`" if file else ""
    create_markdown_artifact(
        key=f"monitor-{_slug(look.model)}", markdown=markdown_of(look) + where, description=look.drift.said
    )
    if look.drift.features:
        create_table_artifact(key=f"drift-{_slug(look.model)}", table=table_of(look), description=look.drift.said)


def _written(settings: Settings, seen: Watched) -> Path | None:
    """The report as a file; a full disk is no reason not to decide."""
    try:
        return write_report(
            settings, seen.look.model, f"drift-{seen.look.at:%Y-%m-%dT%H-%M}", drift_report(seen.content)
        )
    except Exception as error:  # noqa: BLE001  whatever a picture does, the decision stands
        get_run_logger().warning("The report was not written: %s: %s", type(error).__name__, error)
        return None


def _wake(look: Look) -> None:
    emit_event(
        DRIFT_DETECTED,
        resource={"prefect.resource.id": f"understudy.model.{look.model}", "prefect.resource.name": look.model},
        payload={
            "model": look.model,
            "event_id": look.event_id,
            "trigger": look.decision.trigger,
            "reason": "; ".join(look.decision.causes)[:500],
            "severity": look.decision.severity,
            "confidence": look.decision.confidence,
            "drift_type": look.decision.drift_type,
            "affected_features": list(look.decision.affected_features[:20]),
            "as_of": look.at.isoformat(),
        },
    )


def _slug(name: str) -> str:
    return name.replace("_", "-")
