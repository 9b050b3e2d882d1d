"""What one look at a model found."""

from datetime import datetime

from flows.detection.fusion.decision import RetrainDecision
from flows.detection.joint.drift import JointDrift
from flows.detection.judging.report import DriftReport
from flows.detection.performance.records import Performance
from flows.detection.streams.error_trend import ErrorTrend
from registry.records.base import Record


class Look(Record, frozen=True, kw_only=True):
    """
    What one look found and did.

    Attributes:
        champion: Version that was looked at.
        drift: Of the newest rows against the reference.
        season: Against what their season lets expect; None if the version knows no seasons.
        joint: Of the columns together; None if the version has no such profile.
        errors: The champion's errors, row by row.
        error_times: When the last row of each of the windows of errors was asked; epoch seconds.
        performance: Against its holdout, and estimated where labels are missing.
        lasting: Features that drifted at this look and at those before (`detection.season.looks`).
        event_id: Retraining event that was raised, if any.
        held_back: Why a triggered decision raised none.
    """

    model: str
    at: datetime
    champion: str
    decision: RetrainDecision
    drift: DriftReport
    season: DriftReport | None = None
    joint: JointDrift | None = None
    errors: ErrorTrend | None = None
    error_times: tuple[float, ...] = ()
    performance: Performance | None = None
    lasting: tuple[str, ...] = ()
    event_id: str | None = None
    held_back: str | None = None
