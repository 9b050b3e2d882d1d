"""The flow `retrain`: make a challenger, judge it, begin its rollout."""

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from flows.client import RouterClient
from flows.config.load import registered_config
from flows.data import history
from flows.errors import FlowsError
from flows.rollout.desk import artifact_key
from flows.training.first import clock_of
from flows.training.progress import Progress
from flows.training.retraining import Retraining, run_retraining
from flows.training.shop import Shop
from flows.training.summary import summary
from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, Refusal
from registry.home import Settings
from registry.records.base import utc
from registry.records.retraining import TriggerType
from registry.store.registry import Registry

T = TypeVar("T")
POLITENESS = 10  # training beside a router must not slow its answers
STRIDE = 2.0  # percent between two updates of the progress artifact


def run_name() -> str:
    """Name the run by model and event."""
    said = runtime.flow_run.parameters
    return f"{said.get('model') or 'all'}-{said.get('event_id') or said.get('trigger') or 'manual'}"


@flow(name="retrain", flow_run_name=run_name)
def retrain(
    model: str | None = None,
    event_id: str | None = None,
    trigger: TriggerType = "manual",
    reason: str = "",
    actor: str = "prefect",
    as_of: datetime | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """
    Retrain one model, or every registered one.

    Args:
        model: Name of the model; every registered one if absent.
        event_id: Retraining event that asked for it; a new one is written if absent.
        trigger: Kind of a new event. Whoever asks by hand chooses manual, or emergency, which is logged as CRITICAL;
            neither waits for the cool-down, both wait for the end of a rollout.
        reason: Why; written into the log, and into the audit trail.
        actor: Who asked for it; written beside the reason.
        as_of: On the model's clock; now if absent.
        force: Roll an active rollout back first, instead of refusing.

    Returns:
        What came of it, by model.
    """
    _be_polite()
    settings = Settings().prepare()
    at = utc(as_of) if as_of is not None else None
    with Registry.open(settings.registry_url) as registry, RouterClient(settings, actor="training") as client:
        names = [model] if model else registry.models()
        done: dict[str, Any] = {}
        failures: dict[str, Refusal] = {}
        for name in names:
            try:
                shop = _shop(name, settings, registry, client, at)
                done[name] = _one(shop, event_id or None, trigger, reason, actor, force)
            except Refusal as refusal:
                failures[name] = refusal
    _raise(failures)
    return done


def _shop(model: str, settings: Settings, registry: Registry, client: RouterClient, at: datetime | None) -> Shop:
    config = registered_config(model, settings)
    return Shop(
        config=config,
        settings=settings,
        registry=registry,
        artifacts=ArtifactStore(settings.models_dir),
        read_rows=lambda: history(client, config, settings),
        clock=clock_of(at),
        progress=_reporter(model),
        step=as_task,
    )


def _one(
    shop: Shop, event_id: str | None, trigger: TriggerType, reason: str, actor: str, force: bool
) -> dict[str, Any]:
    done = run_retraining(shop, event_id=event_id, trigger=trigger, reason=reason, actor=actor, force=force)
    get_run_logger().info("%s: %s", shop.model, done.said)
    create_markdown_artifact(_summary(shop, done), key=artifact_key("retrain", shop.model), description=done.said)
    return done.to_dict()


def _summary(shop: Shop, done: Retraining) -> str:
    with contextlib.suppress(Refusal):
        return summary(shop, done)
    return done.said


def as_task(name: str, work: Callable[[], T], *, retries: int = 0) -> T:
    """Run a coarse step as a Prefect task; only what may pass by itself is tried again."""

    def run() -> T:
        return work()

    lifted = task(
        name=name,
        retries=retries,
        retry_delay_seconds=[2.0, 10.0, 30.0][:retries],
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(run)
    return lifted()


def _may_pass(_task: object, _run: object, state: Any) -> bool:
    """A server may come back; wrong data stay wrong."""
    try:
        state.result()
    except Refusal as refusal:
        return refusal.exit_code == 3 and not isinstance(refusal, ArtifactRefused)
    except Exception:  # noqa: BLE001  whatever a step may raise
        return True
    return False


def _reporter(model: str) -> Progress:
    """Show the share done as a progress artifact, in strides."""
    shown: list[tuple[UUID, float]] = []

    def report(share: float, doing: str) -> None:
        percent = round(100 * share, 1)
        if not shown:
            key = artifact_key("retrain-progress", model)
            shown.append((cast(UUID, create_progress_artifact(percent, key=key, description=doing)), percent))
        elif percent - shown[-1][1] >= STRIDE:
            update_progress_artifact(shown[0][0], percent, description=doing)
            shown[:] = [(shown[0][0], percent)]

    return report


def _be_polite() -> None:
    """Lower the priority of a process of our own; one that somebody else runs is left alone."""
    if runtime.deployment.id is not None and os.nice(0) < POLITENESS:
        os.nice(POLITENESS - os.nice(0))


def _raise(failures: dict[str, Refusal]) -> None:
    if len(failures) == 1:
        (only,) = failures.values()
        raise only
    if failures:
        why = "; ".join(f"{name}: {refusal}" for name, refusal in failures.items())
        raise FlowsError("Some models were not retrained.", why, "Mend the models named; the others are done.")
