"""The retraining log: one line per retraining, joined from its event and from the version it made."""

from datetime import datetime
from typing import Any, Literal

from registry.records.base import Record
from registry.records.retraining import RetrainingEvent
from registry.records.version import ModelVersion
from registry.store.registry import Registry

Status = Literal["waiting", "running", "successful", "failed", "refused"]
_SHORT = 12


class Logged(Record, frozen=True, kw_only=True):
    """
    One retraining.

    Attributes:
        start: When it began, or was asked for if that is not known; end: None while it runs.
        duration_minutes: From start to end; of the training alone where the event does not tell its start, or where
            the model's clock stood still, as in a replay.
        data_version: As the source names it, else the beginning of the fingerprint of its rows.
        new_samples: Rows that the champion had not learned from.
        status: "refused" was never attempted.
    """

    id: str
    model: str
    trigger: str
    start: datetime
    end: datetime | None
    duration_minutes: float | None
    data_version: str
    new_samples: int | None
    model_version: str | None
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    status: Status
    notes: str = ""


def retraining_log(registry: Registry, model: str | None = None, limit: int | None = None) -> list[Logged]:
    """List retrainings, newest first."""
    events = registry.retraining_events(model, limit=limit)
    names = sorted({event.model for event in events})
    versions = {(one.model, one.version): one for name in names for one in registry.versions(name)}
    return [logged(event, versions.get((event.model, event.retrained_version or ""))) for event in events]


def logged(event: RetrainingEvent, version: ModelVersion | None) -> Logged:
    """Join an event with the version it made, if it made one; what the event itself noted counts first."""
    noted, data = event.execution_metrics, version.data if version else None
    return Logged(
        id=event.id,
        model=event.model,
        trigger=event.trigger_type,
        start=_start(event),
        end=event.completed_at,
        duration_minutes=_minutes(event, version),
        data_version=noted.get("data_version") or (data and (data.version or data.fingerprint[:_SHORT])) or "",
        new_samples=noted.get("new_rows", data.new_rows if data else None),
        model_version=event.retrained_version,
        metrics=noted.get("metrics") or (version.metrics if version else {}),
        baseline_metrics=noted.get("baseline_metrics") or (version.baseline_metrics if version else {}),
        status=status_of(event),
        notes=event.notes,
    )


def status_of(event: RetrainingEvent) -> Status:
    """Say in a word what came of it."""
    if event.execution_successful is not None:
        return "successful" if event.execution_successful else "failed"
    if event.execution_attempted:
        return "running"
    return "waiting" if event.completed_at is None else "refused"


def _start(event: RetrainingEvent) -> datetime:
    told: Any = event.execution_metrics.get("started_at")
    return datetime.fromisoformat(told) if isinstance(told, str) else event.triggered_at


def _minutes(event: RetrainingEvent, version: ModelVersion | None) -> float | None:
    if event.completed_at is None:
        return None
    trained = float(event.execution_metrics.get("duration_s", version.duration_s if version else 0.0))
    if trained and "started_at" not in event.execution_metrics:
        return round(trained / 60, 2)
    return round(max(trained, (event.completed_at - _start(event)).total_seconds()) / 60, 2)
