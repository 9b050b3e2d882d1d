"""How often to look, and how often to retrain."""

from datetime import timedelta

from pydantic import Field, model_validator

from flows.config.section import Period, Section

METRICS: dict[str, str] = {
    "overdue_days": "days since the scheduled retraining was due; below 0 before that",
}
"""What rules may name: metric and what it is."""


class Cadence(Section):
    """How often to look, and how often to retrain."""

    check: Period = Field(default=timedelta(hours=6), description="Time between looks while nothing is the matter")
    fastest: Period = Field(default=timedelta(hours=1), description="No two looks are closer than this")
    slowest: Period = Field(default=timedelta(days=1), description="No two looks are further apart than this")
    early: Period = Field(default=timedelta(days=7), description="Scheduled retraining of a young model")
    later: Period = Field(default=timedelta(days=30), description="Scheduled retraining after that")
    young: Period = Field(default=timedelta(days=90), description="How long a model is young")

    @model_validator(mode="after")
    def _limits_hold(self) -> "Cadence":
        if not self.fastest <= self.check <= self.slowest:
            said = f"check {self.check} must lie between fastest {self.fastest} and slowest {self.slowest}"
            raise ValueError(said)
        return self
