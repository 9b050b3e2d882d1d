"""The flow that looks after every model."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from flows.client import RouterClient
from flows.client.clock import lives_in_another_time
from flows.config.load import registered_config
from flows.detection.markdown import markdown_of, table_of
from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.watch import Look, watch
from registry.artifacts import ArtifactStore
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.records.version import ModelVersion
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
        look = watch(config, registry, client, lambda version: _reference(artifacts, version), now)
    _show(look)
    if look.event_id is not None:
        _wake(look)
    get_run_logger().info("%s: %s", model, "; ".join(look.decision.causes) or look.drift.said)
    return {
        "triggered": look.event_id is not None,
        "event_id": look.event_id,
        "held_back": look.held_back,
        "decision": look.decision.to_dict(),
    }


def _reference(artifacts: ArtifactStore, version: ModelVersion) -> ReferenceProfile:
    raw = artifacts.read(version.model, version.version, "reference.json", version.artifact_digest)
    return ReferenceProfile.from_json(raw)


def _patiently(settings: Settings, model: str, now: datetime) -> dict[str, Any]:
    """A model that cannot be looked at must not hide the others."""
    try:
        return look_after(settings, model, now)
    except NotFound as error:
        return {"triggered": False, "event_id": None, "held_back": str(error), "decision": None}
    except Refusal as error:
        get_run_logger().error("%s: %s", model, error)
        return {"triggered": False, "event_id": None, "held_back": str(error), "decision": None}


def _show(look: Look) -> None:
    create_markdown_artifact(
        key=f"monitor-{_slug(look.model)}", markdown=markdown_of(look), description=look.drift.said
    )
    if look.drift.features:
        create_table_artifact(key=f"drift-{_slug(look.model)}", table=table_of(look), description=look.drift.said)


def _wake(look: Look) -> None:
    emit_event(
        DRIFT_DETECTED,
        resource={"prefect.resource.id": f"understudy.model.{look.model}", "prefect.resource.name": look.model},
        payload={
            "model": look.model,
            "event_id": look.event_id,
            "trigger": look.decision.trigger,
            "reason": "; ".join(look.decision.causes)[:500],
            "as_of": look.at.isoformat(),
        },
    )


def _slug(name: str) -> str:
    return name.replace("_", "-")
