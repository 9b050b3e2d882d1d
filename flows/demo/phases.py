"""Whether every phase of the demo did what it should: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flows.replay.summary import Ending, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One thing that the demo must show, and what was seen."""

    name: str
    passed: bool
    said: str


def phases(summary: Summary, drift_from: datetime) -> tuple[Phase, ...]:
    """
    Judge a finished demo.

    Args:
        summary: Of its replay.
        drift_from: When the abrupt drift begins.
    """
    return tuple(_phases(summary, drift_from))


def _phases(summary: Summary, drift_from: datetime) -> Iterator[Phase]:
    ours = [one for one in summary.rollouts if not one.bad]
    noticed = [one for one in summary.retrainings if one.trigger in ("drift", "performance") and one.at >= drift_from]
    made = [one for one in noticed if one.successful]
    watched = [one for one in ours if one.watched]
    canaries = [one for one in ours if one.answered]
    promoted = [one for one in ours if one.status == "succeeded"]
    yield _phase("drift detected", [f"{one.at:%Y-%m-%d}: {one.reason}" for one in noticed])
    yield _phase("retrained", [f"{one.id} made {one.version}" for one in made])
    yield _phase("watched in shadow", [f"{one.challenger} scored {one.watched} copies" for one in watched])
    yield _phase("answered as canary", [f"{one.challenger} answered {one.answered} callers" for one in canaries])
    yield _phase("promoted", [f"{one.challenger}: {one.said}" for one in promoted])
    yield _bad([one for one in summary.rollouts if one.bad])
    yield Phase(name="the loop paid", passed=summary.paid, said=_gain(summary))
    wrong = [line for line in summary.books if not line.exact]
    said = "; ".join(f"{line.name}: {line.found:g}, not {line.expected:g}" for line in wrong)
    yield Phase(
        name="bookkeeping exact", passed=not wrong, said=said or f"{summary.rows} rows, {len(summary.books)} sums"
    )


def _phase(name: str, seen: list[str]) -> Phase:
    return Phase(name=name, passed=bool(seen), said=seen[0] if seen else "it did not happen")


def _bad(endings: list[Ending]) -> Phase:
    stopped = bool(endings) and all(one.status == "rolled_back" and one.share < 1 for one in endings)
    said = [f"{one.challenger} {one.status.replace('_', ' ')} at {one.share:.0%}: {one.said}" for one in endings]
    return Phase(name="bad challenger rolled back", passed=stopped, said="; ".join(said) or "it was never begun")


def _gain(summary: Summary) -> str:
    name = summary.metric
    return f"{name} {summary.served[name]:.3f} served, {summary.frozen[name]:.3f} by the first model"
