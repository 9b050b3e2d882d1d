"""All that is known of one incident, in the order in which a report tells it."""

from dataclasses import dataclass
from datetime import datetime

from registry.records.incident import Incident
from registry.records.notice import Notice
from registry.records.version import ModelVersion
from registry.records.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """
    One period in which the version answered callers, or watched.

    Attributes:
        share: Parts per million that it answered; 0 while it watched.
        answered, failed: Requests dealt to it that it answered, and that failed; None where the router cannot say.
        by_champion: Of those that failed, how many the champion answered instead.
        keys: Distinct callers among them; one may be in several periods.
        reasons: Failures by reason, as the router names them.
    """

    phase: str
    began: datetime
    ended: datetime
    share: int
    answered: int | None = None
    failed: int | None = None
    by_champion: int = 0
    keys: int | None = None
    latency_ms: float | None = None
    loss: float | None = None
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def seconds(self) -> float:
        """How long it was."""
        return max((self.ended - self.began).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the timeline."""

    at: datetime
    who: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One limit that was tested, in words and numbers."""

    name: str
    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    limit: float | None
    n: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """
    Everything a report of an incident tells.

    Attributes:
        exposures: Oldest first; without those in which it only watched, if it ever answered.
        versions: The one that was taken off, then the one that answers since.
        plans: Digests by epoch: the last plan with it, and the one without it.
        told: Notices about it.
        decision: What spoke for the version; None if nothing is known.
        unseen: Why the router's counts are missing; empty if they are not.
    """

    incident: Incident
    watch: Watch | None
    exposures: tuple[Exposure, ...]
    timeline: tuple[Happening, ...]
    tests: tuple[Test, ...]
    versions: tuple[ModelVersion, ...]
    plans: tuple[tuple[int, str], ...]
    told: tuple[Notice, ...]
    decision: str | None = None
    unseen: str = ""

    @property
    def answering(self) -> tuple[Exposure, ...]:
        """Periods in which it answered callers."""
        return tuple(one for one in self.exposures if one.share)

    @property
    def answered(self) -> int | None:
        """Requests that it answered; None if the router cannot say."""
        known = [one.answered for one in self.answering if one.answered is not None]
        return sum(known) if known or not self.unseen else None

    @property
    def failed(self) -> int | None:
        """Requests dealt to it that it did not answer well."""
        known = [one.failed for one in self.answering if one.failed is not None]
        return sum(known) if known or not self.unseen else None

    @property
    def seconds(self) -> float:
        """How long it answered callers."""
        return sum(one.seconds for one in self.answering)

    @property
    def settled(self) -> bool:
        """Whether nothing in it can change any more."""
        return not self.unseen and all(one.status != "waiting" for one in self.told)
