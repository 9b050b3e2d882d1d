"""How all signals become one decision."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from flows.config.durations import Duration
from flows.config.section import Count, Section, Share

METRICS: dict[str, str] = {
    "harm": "estimated rise of the loss over that of a refit, in shares of the baseline loss",
    "harm_low": "lower end of its 95 % interval",
    "confidence": "probability that the harm is worth a retraining",
    "severity": "0 LOW, 1 MEDIUM, 2 HIGH, 3 CRITICAL",
    "recoverable": "share of the loss that a correction wins back on the newest labelled rows",
    "recoverable_p": "one-sided p-value of that gain",
    "exposure": "drift of all features, weighed by their share in the predictions",
}
"""What rules may name: metric and what it is."""

Harm = Annotated[float, Field(gt=0)]


class Fusion(Section):
    """How all signals become one decision."""

    medium: Harm = Field(default=0.03, description="Estimated harm from which on severity is MEDIUM")
    high: Harm = Field(default=0.10, description="Estimated harm from which on severity is HIGH")
    critical: Harm = Field(default=0.30, description="Estimated harm from which on severity is CRITICAL")
    rise: Harm = Field(
        default=1.0,
        description="Sure rise of the measured loss that is MEDIUM at least; twice as much HIGH, four times CRITICAL",
    )
    worth: Harm = Field(default=0.05, description="Harm that is worth a retraining; confidence is the chance of it")
    base_rate: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="How often such harm is there at a look; null: as in the simulated histories"
    )
    stop: Share = Field(default=0.5, description="Confidence below which an alarm ends that has begun")
    settle: Duration = Field(
        default=timedelta(days=7), description="After a retraining, for so long the next one needs more than one look"
    )
    persist: Count = Field(default=2, description="Looks that an alarm must last within that time")
    again: Annotated[float, Field(ge=1)] = Field(
        default=1.5, description="Or times the harm of the last retraining that it must reach"
    )

    @model_validator(mode="after")
    def _levels_rise(self) -> "Fusion":
        if not self.medium < self.high < self.critical:
            said = f"medium {self.medium}, high {self.high} and critical {self.critical} must rise"
            raise ValueError(said)
        return self
