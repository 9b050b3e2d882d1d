"""One look at a model: what registry and router say now, and since when one of them is away."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.cli.standing import Known, Seen
from registry.records.incident import Incident
from registry.records.live import ModelMetrics, PhaseMetrics
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.records.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: by the audit trail, or by the notes of the router."""

    at: datetime
    who: str
    what: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A part that does not answer; what is shown of it is as old as *since*."""

    since: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the registry says; `known` is of the rollout that is active, else of the newest one."""

    plan: TrafficPlan | None = None
    known: Known | None = None
    watch: Watch | None = None
    incident: Incident | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the router says; it is asked less often where counting takes it long."""

    at: datetime | None = None
    metrics: ModelMetrics | None = None
    seen: Seen | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    Everything that one picture shows.

    Attributes:
        rates: Requests per second by variant or shadow version, over the last looks; empty at the first.
        estimates: Of the primary finding in this step, oldest first.
        away: By part, "registry" or "router".
    """

    model: str
    at: datetime
    books: Books = Books()
    traffic: Traffic = Traffic()
    rates: dict[str, float] = field(default_factory=dict)
    estimates: tuple[float | None, ...] = ()
    away: dict[str, Away] = field(default_factory=dict)

    @property
    def rollout(self) -> Rollout | None:
        """The rollout that is active, if any."""
        known = self.books.known
        return known.rollout if known is not None and known.rollout.active else None

    @property
    def phase(self) -> PhaseMetrics | None:
        """Counts of the plan in force; None before its first request."""
        plan, metrics = self.books.plan, self.traffic.metrics
        if plan is None or metrics is None:
            return None
        found = [one for one in metrics.phases if one.phase == plan.phase]
        return found[-1] if found else None

    @property
    def happened(self) -> list[Event]:
        """What happened, newest first."""
        return sorted([*self.books.events, *self.traffic.events], key=lambda one: one.at, reverse=True)

    def document(self) -> dict[str, Any]:
        """Lay it out for programs."""
        known = self.books.known
        return {
            "at": self.at,
            "model": self.model,
            "plan": self.books.plan,
            "rollout": self.rollout,
            "counted_at": self.traffic.at,
            "metrics": self.traffic.metrics,
            "baked_s": known.baked_s if known else None,
            "next_s": known.next_s if known else None,
            "asked": known.asked if known else None,
            "watch": self.books.watch,
            "seen": self.traffic.seen,
            "rates": self.rates,
            "events": self.happened,
            "away": self.away,
        }
