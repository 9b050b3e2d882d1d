"""The retraining event: opened before anything happens, closed whatever happens."""

from datetime import datetime
from typing import Any

import msgspec

from flows.training.errors import RetrainingRefused
from flows.training.metrics import improvement
from registry.errors import AlreadyExists
from registry.records.retraining import RetrainingEvent, TriggerType
from registry.store.registry import Registry

ATTEMPTS = 20  # other processes may take the same next id


def open_event(
    registry: Registry, model: str, *, event_id: str | None, trigger: TriggerType, reason: str, actor: str, at: datetime
) -> RetrainingEvent:
    """
    Look up the event that asked for the retraining, or write down a new one.

    Raises:
        RetrainingRefused: If the event is another model's.
        NotFound: If there is no such event.
    """
    if event_id is None:
        asked = f"asked for by {actor}"
        return _new(registry, model, trigger, f"{reason}; {asked}" if reason.strip() else asked, at)
    event = registry.retraining_event(event_id)
    if event.model != model:
        raise RetrainingRefused(
            f"{model} was not retrained.", f"Event {event_id} is about {event.model}.", "Name the model of the event."
        )
    return event


def attempted(registry: Registry, event: RetrainingEvent, notes: str, at: datetime) -> RetrainingEvent:
    """Write down that it runs, and since when; one that goes on after a kill began before it."""
    begun = {"started_at": _later(event, at).isoformat()} | event.execution_metrics
    cleared: dict[str, Any] = {"execution_successful": None, "completed_at": None}
    return _keep(registry, event, execution_attempted=True, execution_metrics=begun, notes=notes, **cleared)


def named(registry: Registry, event: RetrainingEvent, version: str) -> RetrainingEvent:
    """Write down which version it makes, before it is made: so an interrupted one is found again."""
    return _keep(registry, event, retrained_version=version)


def noted(registry: Registry, event: RetrainingEvent, notes: str, figures: dict[str, Any]) -> RetrainingEvent:
    """Write down what was found out about it before it began."""
    return _keep(registry, event, notes=notes, execution_metrics=event.execution_metrics | {"schedule": figures})


def spent(registry: Registry, event_id: str, cpu_s: float) -> RetrainingEvent:
    """Add processor seconds of an attempt, its child processes included."""
    event = registry.retraining_event(event_id)
    so_far = float(event.execution_metrics.get("cpu_s", 0.0))
    return _keep(registry, event, execution_metrics=event.execution_metrics | {"cpu_s": round(so_far + cpu_s, 3)})


def refused(registry: Registry, event: RetrainingEvent, notes: str, at: datetime) -> RetrainingEvent:
    """Close it without an attempt."""
    return _keep(registry, event, execution_attempted=False, completed_at=_later(event, at), notes=notes)


def failed(registry: Registry, event: RetrainingEvent, error: BaseException, at: datetime) -> RetrainingEvent:
    """Close it as failed."""
    said = f"{type(error).__name__}: {error}"
    return _keep(registry, event, execution_successful=False, completed_at=_later(event, at), notes=said[:1000])


def cancelled(registry: Registry, event: RetrainingEvent, why: str, at: datetime) -> RetrainingEvent:
    """Close it because people wanted so."""
    return _keep(registry, event, execution_successful=False, completed_at=_later(event, at), notes=f"Cancelled: {why}")


def succeeded(
    registry: Registry, event: RetrainingEvent, metrics: dict[str, float], before: dict[str, float], **said: Any
) -> RetrainingEvent:
    """Close it with what was gained over the champion, on the same rows; what it knows already stays."""
    said["execution_metrics"] = event.execution_metrics | said.get("execution_metrics", {})
    return _keep(registry, event, execution_successful=True, **gains(metrics, before), **said)


def gains(metrics: dict[str, float], before: dict[str, float]) -> dict[str, float | None]:
    """Columns of the log about the metrics; None where the task has no such metric."""
    return {
        "r2": metrics.get("r2"),
        "rmse": metrics.get("rmse"),
        "accuracy": metrics.get("accuracy"),
        "previous_r2": before.get("r2"),
        "improvement_r2": improvement(metrics.get("r2"), before.get("r2")),
        "improvement_rmse": improvement(metrics.get("rmse"), before.get("rmse"), more_is_better=False),
        "improvement_accuracy": improvement(metrics.get("accuracy"), before.get("accuracy")),
    }


def _new(registry: Registry, model: str, trigger: TriggerType, reason: str, at: datetime) -> RetrainingEvent:
    for attempt in range(ATTEMPTS):
        event = RetrainingEvent(
            id=registry.next_event_id(at),
            model=model,
            trigger_type=trigger,
            severity="CRITICAL" if trigger == "emergency" else "LOW",
            drift_type="none",
            trigger_reason=reason,
            triggered_at=at,
        )
        try:
            registry.add_retraining_event(event)
        except AlreadyExists:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return event
    raise AssertionError("unreachable: the last attempt raises")


def _keep(registry: Registry, event: RetrainingEvent, **changes: Any) -> RetrainingEvent:
    changed = msgspec.structs.replace(event, **changes)
    registry.update_retraining_event(changed)
    return changed


def _later(event: RetrainingEvent, at: datetime) -> datetime:
    return max(event.triggered_at, at)
