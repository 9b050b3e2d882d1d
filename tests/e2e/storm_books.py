"""What is left after a storm: in the registry, on the Prefect server, and with the people who were told."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from rollout_storm import MODEL
from rollout_story import Heard
from storm_people import Server

from registry.errors import Refusal
from registry.store.registry import Registry

_LATE = timedelta(seconds=150)
"""After which a look that was booked has been forgotten."""


@dataclass(frozen=True, kw_only=True)
class Books:
    """
    Counts at the end; lists name what should not be there.

    Attributes:
        ends: Rollouts by status.
        watches: By status.
        rollbacks: Rollouts and watches that ended as rolled back.
        unwritten: Rollbacks that have no incident, or several.
        told: Notices by status.
        twice: Posts that came again, by title.
        running: Runs that were in state Running before the last kill, and still are.
        pending: The same of runs that a worker took.
        gates: Runs that ask about a rollout that is over.
        bookings: Looks that were booked and are overdue.
        states: All runs by flow deployment and state.
    """

    ends: Counter[str]
    watches: Counter[str]
    rollbacks: int
    unwritten: list[str]
    told: Counter[str]
    twice: dict[str, int]
    running: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    bookings: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)

    @property
    def settled(self) -> bool:
        """Whether nothing is under way any more."""
        return not (self.running or self.pending or self.gates or self.bookings or self.told["waiting"])


def books(registry: Registry, server: Server, heard: Heard, calm: datetime) -> Books:
    """Count; nobody was killed after *calm*."""
    rollouts, watches, notices = registry.rollouts(MODEL), registry.watches(MODEL), registry.notices()
    lost = [one for one in rollouts if one.status == "rolled_back"]
    back = [one for one in watches if one.status == "rolled_back"]
    over = {one.id for one in rollouts if not one.active}
    open_runs = server.runs("RUNNING", "PENDING", "PAUSED", "SCHEDULED")
    return Books(
        ends=Counter(one.status for one in rollouts),
        watches=Counter(one.status for one in watches),
        rollbacks=len(lost) + len(back),
        unwritten=_unwritten(registry, [one.challenger for one in lost] + [one.version for one in back]),
        told=Counter(one.status for one in notices),
        twice=_twice(heard, Counter(one.title for one in notices)),
        running=[_name(one) for one in open_runs if one["state_type"] == "RUNNING" and _moment(one) < calm],
        pending=[_name(one) for one in open_runs if one["state_type"] == "PENDING" and _moment(one) < calm],
        gates=[
            f"{_name(one)} {one['tags']}"
            for one in open_runs
            if one["state_type"] == "PAUSED" and over & {tag.removeprefix("rollout:") for tag in one["tags"]}
        ],
        bookings=[_name(one) for one in open_runs if f"next-look:{MODEL}" in one["tags"] and _overdue(one)],
        states=Counter(f"{one['state_name']}" for one in open_runs),
    )


def settled(
    registry: Registry, server: Server, heard: Heard, calm: datetime, seconds: float
) -> tuple[Books | None, float]:
    """Wait until nothing is under way; the last count, and how long it took."""
    began, last = time.monotonic(), None
    while time.monotonic() - began < seconds:
        try:
            last = books(registry, server, heard, calm)
        except (Refusal, httpx.HTTPError):
            last = None
        if last is not None and last.settled and registry.watch(MODEL) is None:
            break
        time.sleep(3)
    return last, time.monotonic() - began


def _unwritten(registry: Registry, taken_off: list[str]) -> list[str]:
    """A version is taken off once: it is rejected then, or archived."""
    written = Counter(one.version for one in registry.incidents(MODEL))
    wrong = [f"{version}: {written[version]} incidents" for version in taken_off if written[version] != 1]
    return wrong + [f"{version}: nobody took it off" for version in written if version not in taken_off]


def _twice(heard: Heard, wanted: Counter[str]) -> dict[str, int]:
    came = Counter(heard.titles())
    return {title: count - wanted[title] for title, count in came.items() if count > wanted[title]}


def _name(run: dict[str, Any]) -> str:
    return f"{run['name']} ({run['state_name']} since {run['state']['timestamp']})"


def _moment(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["state"]["timestamp"])


def _overdue(run: dict[str, Any]) -> bool:
    due = run.get("next_scheduled_start_time") or run["expected_start_time"]
    return run["state_type"] == "SCHEDULED" and datetime.now(UTC) - datetime.fromisoformat(due) > _LATE
