"""Sections `watch`, `schedule` and `notify` of a model's YAML file: after a promotion, when to work, whom to tell."""

import re
from datetime import time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from flows.config.durations import Duration
from flows.config.section import Name, Period, Section

_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


class WatchConfig(Section):
    """After a promotion: limits below which the champion before comes back by itself."""

    duration: Duration = Field(default=timedelta(hours=48), description="0s watches nobody")
    error_rate: Annotated[float, Field(gt=0, lt=1)] = 0.02
    latency_increase: Annotated[float, Field(ge=0)] = 0.5
    kpi: Name | None = Field(default=None, description="Outcome that is watched; guards.kpi if absent")
    kpi_drop: Annotated[float, Field(ge=0)] = 0.10
    accuracy_drop: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Tolerated relative rise of the loss over the former champion's"
    )
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    min_labelled: Annotated[int, Field(ge=2)] = 100


class Schedule(Section):
    """When Understudy works by itself, and what it may cost."""

    adaptive: bool = Field(default=True, description="Let the pace of looks and retrainings follow what is seen")
    fastest: Period = Field(default=timedelta(days=1), description="No scheduled retraining is nearer to the last")
    slowest: Period = Field(default=timedelta(days=31), description="Nor further from it")
    off_peak: str | None = Field(default=None, description="Hours for retrainings that can wait, e.g. 22:00-06:00")
    timezone: Name = "UTC"
    patience: Period = Field(default=timedelta(hours=24), description="Longest time that one waits for such an hour")
    budget: Period | None = Field(default=None, description="Processor time of retrainings in any seven days")
    cost_per_hour: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Of a processor, in your currency")
    value_per_point: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="What one percent less loss is worth in a week, in the same currency"
    )

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """Begin and end of `off_peak` on the clocks of `timezone`; they may go past midnight."""
        if self.off_peak is None:
            return None
        begin, end = self.off_peak.split("-")
        return time.fromisoformat(begin), time.fromisoformat(end)

    @field_validator("off_peak")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None and (not _HOURS.fullmatch(value) or value[:5] == value[6:]):
            raise ValueError(f"{value!r} is no pair of different hours, write e.g. 22:00-06:00")
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone, write e.g. Europe/Berlin") from error
        return value


class Notify(Section):
    """Whom to tell; Apprise addresses, secrets by ${NAME}."""

    urls: tuple[str, ...] = ()
    only: tuple[Name, ...] = Field(
        default=(), description="Kinds that are told, e.g. rollout.promoted or rollout.*; all if empty"
    )
    tries: Annotated[int, Field(ge=1, le=20)] = Field(default=8, description="Over about a day")
