"""One row of the retraining log: what triggered it, what came of it."""

from datetime import datetime
from typing import Any, Literal

from registry.records.base import Record

Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
DriftType = Literal["data", "concept", "both", "none"]
TriggerType = Literal["drift", "performance", "age", "volume", "schedule", "manual", "emergency", "initial"]


class RetrainingEvent(Record, frozen=True, kw_only=True):
    """
    Columns of the table `model_retraining_events`.

    Attributes:
        id: `retrain_YYYYMMDD_NNN`.
        attempted, successful: Whether the retraining ran, and whether it produced a version.
        improvement_*: Percent over the previous champion, positive is better.
    """

    id: str
    model: str
    trigger_type: TriggerType
    severity: Severity
    drift_type: DriftType
    trigger_reason: str
    trigger_metrics: dict[str, Any] = {}
    execution_attempted: bool = False
    execution_successful: bool | None = None
    execution_metrics: dict[str, Any] = {}
    retrained_version: str | None = None
    r2: float | None = None
    rmse: float | None = None
    accuracy: float | None = None
    previous_r2: float | None = None
    improvement_r2: float | None = None
    improvement_rmse: float | None = None
    improvement_accuracy: float | None = None
    triggered_at: datetime
    completed_at: datetime | None = None
    notes: str = ""
