"""The time after a promotion, in which a champion that fails gives way to the one before."""

from datetime import datetime
from math import inf
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record, version_mistakes

WatchStatus = Literal["active", "passed", "rolled_back", "replaced"]


class WatchLimits(Record, frozen=True, kw_only=True):
    """
    What a new champion may do worse than the one before.

    Attributes:
        error_rate: Tolerated share of failed requests.
        latency_increase: Tolerated relative rise of the mean latency over `Baseline.latency_ms`.
        kpi: Outcome that is watched; None watches the loss only.
        kpi_drop: Tolerated relative drop of the KPI.
        accuracy_drop: Tolerated relative rise of the loss over the former champion's on the same requests.
        alpha: Chance of a false alarm of each watched quantity over the whole time, however often one looks.
        min_labelled: Fewer labelled requests conclude nothing about KPI and loss.
    """

    error_rate: float = 0.02
    latency_increase: float = 0.5
    kpi: str | None = None
    kpi_drop: float = 0.10
    accuracy_drop: float = 0.0
    alpha: float = 0.001
    min_labelled: int = 100

    def __post_init__(self) -> None:
        """Refuse limits that could never, or always, sound the alarm."""
        mistakes = [
            f"{name} {getattr(self, name)} is not between 0 and 1"
            for name in ("error_rate", "alpha")
            if not 0 < getattr(self, name) < 1
        ]
        mistakes += [
            f"{name} {getattr(self, name)} is negative or not finite"
            for name in ("latency_increase", "kpi_drop", "accuracy_drop")
            if not 0 <= getattr(self, name) < inf
        ]
        if mistakes:
            raise InvalidRecord.of("The limits of the watch", mistakes, "Leave one out to use its default.")


class Baseline(Record, frozen=True, kw_only=True):
    """
    What the former champion did while both answered callers; None where too little was seen.

    Attributes:
        requests, errors: Answered, and failed.
        latency_ms, latency_m2: Mean, and sum of squared deviations, over `requests`.
        kpi_mean, kpi_m2, kpi_n: The same of the KPI.
        loss_mean, loss_m2, loss_n: The same of the loss.
    """

    requests: int = 0
    errors: int = 0
    latency_ms: float | None = None
    latency_m2: float | None = None
    kpi_mean: float | None = None
    kpi_m2: float | None = None
    kpi_n: int = 0
    loss_mean: float | None = None
    loss_m2: float | None = None
    loss_n: int = 0


class PlanWatch(Record, frozen=True, kw_only=True):
    """
    What the router needs of a watch: it judges without Prefect and without the registry.

    Attributes:
        id: Of the watch.
        former: The champion before; a shadow of the plan meanwhile, and who answers once the limits are broken.
        until: On the model's clock; the router goes on watching until a plan without a watch comes.
    """

    id: str
    former: str
    until: datetime
    limits: WatchLimits = WatchLimits()
    baseline: Baseline = Baseline()


class Watch(Record, frozen=True, kw_only=True):
    """
    The watch over one new champion.

    Attributes:
        id: e.g. "w-0004".
        version: The new champion.
        former: The one before: archived, kept warm, and what a rollback brings back.
        phase: Period of the traffic plan in which it is watched.
        began_at, until: On the model's clock.
        said: What the last look saw.
        looks: How often it was looked at.
    """

    id: str
    model: str
    rollout_id: str | None = None
    version: str
    former: str
    phase: str
    began_at: datetime
    until: datetime
    limits: WatchLimits = WatchLimits()
    baseline: Baseline = Baseline()
    status: WatchStatus = "active"
    said: str = ""
    looks: int = 0

    def __post_init__(self) -> None:
        """Refuse a watch over nothing."""
        mistakes = [*version_mistakes("Version", self.version), *version_mistakes("Former champion", self.former)]
        if self.version == self.former:
            mistakes.append(f"version and former champion are both {self.version}")
        if self.until < self.began_at:
            mistakes.append(f"it ends at {self.until}, before it begins")
        if mistakes:
            raise InvalidRecord.of("The watch", mistakes, "Watch a new champion against the one before.")
