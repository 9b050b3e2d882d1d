"""The parts of one worker, and what it says of itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.eventlog.segments import SegmentWriter
from router.hot.turn import Turns
from router.logs import RequestLog, Span
from router.operations.drain import DRAIN
from router.outcomes import OutcomeLog
from router.plans import PlanWatcher
from router.sentry import Sentry
from router.tally import Tallies


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """
    What requests need.

    Attributes:
        watcher: Snapshots of the plans.
        writer: Its segment of predictions.
        kept: Durable outcomes.
        tallies: Its counters.
        sentry: Watches the challengers, on the counts of all workers.
        turns: The short path, where there is one.
        requests: Tells of refused and failed requests.
        span: Makes a span of OpenTelemetry; None if that is off.
        found: What its check at the start found wrong.
    """

    watcher: PlanWatcher
    writer: SegmentWriter
    kept: OutcomeLog
    tallies: Tallies
    sentry: Sentry
    turns: Turns | None = None
    requests: RequestLog = field(default_factory=lambda: RequestLog(20.0))
    span: Span | None = None
    found: Mapping[str, str] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """What `/readyz` answers."""
        snapshots = dict(self.watcher.snapshots)
        troubles = {**troubles_of(self.watcher, self.writer), **self.sentry.troubles}
        return {
            "status": "draining" if DRAIN.on else "degraded" if troubles else "ready",
            "worker": os.getpid(),
            "epochs": {model: one.plan.epoch for model, one in snapshots.items()},
            "breakers": {
                m: {variant: breaker.state for variant, breaker in s.breakers.items()} for m, s in snapshots.items()
            },
            "stopped": {model: one.stopped for model, one in snapshots.items() if one.stopped},
            "troubles": troubles,
            "found_at_start": self.found,
            "unlogged": self.writer.unlogged,
            "answered_on_short_path": self.turns.answered if self.turns else 0,
        }


def troubles_of(watcher: PlanWatcher, writer: SegmentWriter) -> dict[str, str]:
    """Why a worker is degraded, by model or by part."""
    found = dict(watcher.troubles)
    if writer.failing:
        found["event log"] = "it cannot be written; callers are answered, but not logged"
    return found
