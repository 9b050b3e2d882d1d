"""What is under way, in a line each: rollouts, open questions, watches, and notifications that nobody got."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from flows.cli.durations import span

if TYPE_CHECKING:
    from registry.records.rollout import Rollout
    from registry.records.watch import Watch
    from registry.store.registry import Registry

_RECENT = timedelta(days=7)
_LATE = timedelta(hours=1)
_MOST = 1000


class Line(NamedTuple):
    """
    One thing that is under way.

    Attributes:
        trouble: Whether somebody should do something about it.
    """

    what: str
    said: str
    trouble: bool = False


def under_way(registry: "Registry", now: datetime) -> Iterator[Line]:
    """Say what is under way, of every model."""
    for model in registry.models():
        rollout = registry.active_rollout(model)
        if rollout is not None:
            yield from _moving(registry, rollout)
        watch = registry.watch(model)
        if watch is not None:
            yield _watched(watch, now)
    yield from undelivered(registry, now)


def _moving(registry: "Registry", rollout: "Rollout") -> Iterator[Line]:
    from flows.cli.rollout import step_text

    state = rollout.status.replace("_", " ")
    yield Line("rollout", f"{rollout.model}: {rollout.id} of {rollout.challenger} {state}, step {step_text(rollout)}")
    if rollout.waiting is not None or rollout.status == "waiting_approval":
        gate = registry.gate(rollout.id)
        until = f" until {gate.expires_at:%Y-%m-%d %H:%M}" if gate.expires_at else ""
        yield Line(
            "gate", f"{rollout.model}: {rollout.id} waits for {', '.join(gate.missing) or 'its next tick'}{until}"
        )


def _watched(watch: "Watch", now: datetime) -> Line:
    left, which = (watch.until - now).total_seconds(), f"{watch.model}: {watch.version}"
    if left > 0:
        return Line("watch", f"{which} for {span(left)} more, then {watch.former} is let go")
    return Line("watch", f"{which} past its time, until it can be judged: {watch.said or 'no look yet'}")


def undelivered(registry: "Registry", now: datetime) -> Iterator[Line]:
    """Say which notifications nobody got: given up within a week, or due for an hour."""
    found = registry.notices(limit=_MOST)
    lost = [one for one in found if one.status == "given_up" and now - one.created_at < _RECENT]
    late = [one for one in found if one.status == "waiting" and now - one.next_at > _LATE]
    if lost:
        kinds = sorted({kind for one in lost for kind in one.missed})
        where = f" ({', '.join(kinds)})" if kinds else ""
        yield Line("notices", f"{len(lost)} could not be delivered in the last week{where}", trouble=True)
    if late:
        yield Line(
            "notices", f"{len(late)} wait to be sent, the oldest since {late[-1].next_at:%m-%d %H:%M}", trouble=True
        )
