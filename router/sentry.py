"""Every tenth of a second in every worker: tell the others, listen to them, take off what is bad."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec import UnsetType

from registry.records.live import Moments
from registry.records.plan import CHAMPION, Arm, Guards, TrafficPlan
from registry.records.watch import PlanWatch
from router.board import Board
from router.breaker import Breaker
from router.models import Snapshot
from router.report import Report, Seen, Stop
from router.tally import Key, Tallies, Tally
from router.watch import NOTHING, BaselineWatch, ErrorWatch, Evidence, LatencyWatch

log = logging.getLogger("understudy.router")
EVERY_S = 0.1
STUMBLED_S = 1.0
HUNG_S = 1.0
Obey = Callable[[str, Stop], None]
Version = tuple[str, str, str]


class Sentry:
    """
    The guards of one worker, on the counts of all workers.

    Needs no disk, no registry and no other process; without a board it sees its own counts only.

    Args:
        board: Where the workers meet; while it is in trouble, this one goes by its own counts.
        snapshots: What requests see, by model.
        obey: Takes the challengers of a model off in this worker, at once.
        unlogged: Predictions of this worker that were answered but not logged.
        troubles: Why this worker is degraded, other than the board; for those who ask on the board.
        clock: Monotonic seconds, the same for all workers.

    Attributes:
        stops: Challengers that are off, by model.
        alerts: Champions that fail, by model.
    """

    def __init__(
        self,
        board: Board,
        tallies: Tallies,
        snapshots: Mapping[str, Snapshot],
        obey: Obey,
        *,
        unlogged: Callable[[], int] = lambda: 0,
        troubles: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board, self._tallies, self._snapshots, self._obey = board, tallies, snapshots, obey
        self._unlogged, self._troubles, self._clock, self._began = unlogged, troubles, clock, time.time()
        self._watches: dict[str, _Watches] = {}
        self.stops: dict[str, Stop] = {}
        self.alerts: dict[str, Stop] = {}
        self._unlogged_before = 0
        self._inherit()

    async def watch(self) -> None:
        """Look for ever; nothing that goes wrong here ends it."""
        while True:
            try:
                self.look()
            except Exception:
                log.exception("the guards could not look")
                await asyncio.sleep(STUMBLED_S)
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """One look: listen, judge, tell."""
        others = self._others()
        self._inherit()
        for seen in others:
            self._listen(seen.report)
        snapshots = dict(self._snapshots)
        self._tallies.fold({(model, snapshot.plan.phase) for model, snapshot in snapshots.items()})
        counted = self._counted(others, snapshots)
        self._share_breakers(snapshots, others)
        for model, snapshot in snapshots.items():
            self._judge(snapshot, counted)
            stop = self.stops.get(model)
            if stop is not None and _is_news(stop, snapshot):
                self._obey(model, stop)
        self._board.publish(self.report())

    @property
    def troubles(self) -> dict[str, str]:
        """Why this worker does not see, or show, all."""
        if self._board.trouble is not None:
            return {"board": f"{self._board.trouble}; this worker watches challengers by its own counts only"}
        if self._board.cut:
            return {"board": "this worker has more to tell than it has room for; the oldest counts are left out"}
        return {}

    def report(self) -> Report:
        """What this worker tells."""
        snapshots = dict(self._snapshots)
        present = {(model, snapshot.plan.phase) for model, snapshot in snapshots.items()}
        return Report(
            began=self._began,
            epochs={model: snapshot.plan.epoch for model, snapshot in snapshots.items()},
            circuits=[(*where, breaker.circuit) for where, breaker in _breakers(snapshots).items()],
            tallies=sorted(self._tallies, key=lambda tally: (tally.model, tally.phase) in present),
            stops=self.stops,
            alerts=self.alerts,
            unlogged=self._unlogged_before + self._unlogged(),
            stopped={model: snapshot.stopped for model, snapshot in snapshots.items() if snapshot.stopped is not None},
            troubles=dict(self._troubles()),
        )

    def seen(self) -> list[Seen]:
        """Every process of the router, dead ones included; this one as it is now, and as it is on the board."""
        others = self._others()
        self._inherit()
        report = self.report()
        # A kill takes nothing back that was shown: to a reader, a counter that falls began anew.
        self._board.publish(report)
        return [Seen(self._board.slot, os.getpid(), True, 0.0, report), *others]

    def _inherit(self) -> None:
        """Go on from what a dead process left in the slot that is now this one's."""
        if self._board.inherited is None:
            return
        before, self._board.inherited = self._board.inherited, None
        self._tallies.inherit(before.tallies)
        self._unlogged_before += before.unlogged
        self._listen(before)

    def _others(self) -> list[Seen]:
        return [seen for seen in self._board.read() if seen.slot != self._board.slot]

    def _listen(self, report: Report) -> None:
        for ours, theirs in ((self.stops, report.stops), (self.alerts, report.alerts)):
            for model, stop in theirs.items():
                if model not in ours or ours[model].rank < stop.rank:
                    ours[model] = stop

    def _counted(self, others: list[Seen], snapshots: Mapping[str, Snapshot]) -> dict[Version, Evidence]:
        phases = {(model, snapshot.plan.phase) for model, snapshot in snapshots.items()}
        found: dict[Version, Evidence] = {}
        for tally in (*self._tallies, *(tally for seen in others for tally in seen.report.tallies)):
            if (tally.model, tally.phase) in phases:
                version = tally.model, tally.variant, tally.version
                found[version] = found.get(version, Evidence()).plus(_evidence(tally))
        return found

    def _judge(self, snapshot: Snapshot, counted: Mapping[Version, Evidence]) -> None:
        plan = snapshot.plan
        champion = counted.get((plan.model, CHAMPION, plan.version_of(CHAMPION)), NOTHING)
        watches = self._watches.get(plan.model)
        if watches is None or watches.of != _of(plan):
            # A plan that comes after a stop under the name of the same phase is given another chance.
            start = counted if plan.model in self.stops and not self.stops[plan.model].holds(plan) else {}
            watches = self._watches[plan.model] = _watches(plan, start)
        self._judge_champion(plan, watches, champion)
        for arm in plan.challengers:
            challenger = counted.get((plan.model, arm.variant, arm.version), NOTHING)
            reason = watches.against(arm.variant, champion, challenger, plan)
            reason = reason or _open_too_long(snapshot.breakers[arm.variant], plan.guards.breaker_rollback_s)
            if reason is not None:
                stop = Stop(plan.epoch, f"{arm.variant} {arm.version}: {reason}", plan.rollout_id)
                self._say(self.stops, plan, stop)

    def _judge_champion(self, plan: TrafficPlan, watches: "_Watches", seen: Evidence) -> None:
        """One that is watched gives way to the one before; of another one, people hear."""
        if isinstance(plan.watch, UnsetType):
            if watches.champion.alarmed(seen):
                said = f"the champion fails: {watches.champion.said(seen)}"
                self._say(self.alerts, plan, Stop(plan.epoch, said))
            return
        reason = watches.over_champion(seen, plan.watch)
        if reason is not None:
            said = f"champion {plan.version_of(CHAMPION)}, which is being watched: {reason}"
            self._say(self.stops, plan, Stop(plan.epoch, said, plan.rollout_id, plan.watch.former))

    def _say(self, said: dict[str, Stop], plan: TrafficPlan, stop: Stop) -> None:
        known = said.get(plan.model)
        if known is None or not known.holds(plan) or known.rank < stop.rank:
            said[plan.model] = stop
            log.warning("%s %s", plan.model, stop.reason)

    def _share_breakers(self, snapshots: Mapping[str, Snapshot], others: list[Seen]) -> None:
        workers = [seen for seen in others if seen.alive and seen.report.role == "worker" and seen.silent_s < HUNG_S]
        breakers = _breakers(snapshots)
        for model, phase, variant, version, circuit in (told for seen in workers for told in seen.report.circuits):
            breaker = breakers.get((model, phase, variant, version))
            if breaker is not None:
                breaker.adopt(circuit)
        places = sorted([self._board.slot, *(seen.slot for seen in workers)])
        for (model, *_), breaker in breakers.items():
            turn = int(self._clock() / max(snapshots[model].plan.guards.breaker_open_s, EVERY_S)) % len(places)
            breaker.probes = places[turn] == self._board.slot


def _is_news(stop: Stop, snapshot: Snapshot) -> bool:
    """Whether somebody must go who is still asked: a champion may follow the challengers that are off already."""
    return stop.restores(snapshot.plan) or (snapshot.stopped is None and stop.holds(snapshot.plan))


def _breakers(snapshots: Mapping[str, Snapshot]) -> dict[Key, Breaker]:
    return {
        (model, snapshot.plan.phase, variant, snapshot.plan.version_of(variant)): breaker
        for model, snapshot in snapshots.items()
        for variant, breaker in snapshot.breakers.items()
    }


_Of = tuple[str, tuple[Arm, ...], Guards, PlanWatch | UnsetType]


def _of(plan: TrafficPlan) -> _Of:
    return plan.phase, plan.arms, plan.guards, plan.watch


class _Watches(NamedTuple):
    """Of one phase, as long as its arms and guards stay."""

    of: _Of
    champion: ErrorWatch
    errors: dict[str, ErrorWatch]
    latencies: dict[str, LatencyWatch]
    slower: BaselineWatch | None

    def over_champion(self, seen: Evidence, watch: PlanWatch) -> str | None:
        if self.champion.alarmed(seen):
            return f"{self.champion.said(seen)}, more than the {watch.limits.error_rate:.1%} allowed"
        if self.slower is not None and self.slower.alarmed(seen):
            return self.slower.said(seen)
        return None

    def against(self, variant: str, champion: Evidence, challenger: Evidence, plan: TrafficPlan) -> str | None:
        guards = plan.guards
        if self.errors[variant].alarmed(challenger):
            return f"{self.errors[variant].said(challenger)}, more than the {guards.error_rate:.1%} allowed"
        if self.latencies[variant].alarmed(champion, challenger):
            return (
                f"mean latency {challenger.latency_ms.mean:.1f} ms against {champion.latency_ms.mean:.1f} ms, "
                f"more than {guards.latency_increase:.0%} above the champion"
            )
        return None


def _watches(plan: TrafficPlan, counted: Mapping[Version, Evidence]) -> _Watches:
    guards = plan.guards
    start = {arm.variant: counted.get((plan.model, arm.variant, arm.version), NOTHING) for arm in plan.arms}
    errors = {variant: ErrorWatch(guards.error_rate, guards.alpha, before) for variant, before in start.items()}
    champion = start[CHAMPION]
    latencies = {
        variant: LatencyWatch(guards.latency_increase, guards.alpha, guards.deadline_ms, (champion, before))
        for variant, before in start.items()
    }
    slower = None
    if not isinstance(plan.watch, UnsetType):
        limits = plan.watch.limits
        errors[CHAMPION] = ErrorWatch(limits.error_rate, limits.alpha, champion)
        slower = _slower(plan.watch, guards.deadline_ms, champion)
    return _Watches(_of(plan), errors[CHAMPION], errors, latencies, slower)


def _slower(watch: PlanWatch, cap_ms: float, start: Evidence) -> BaselineWatch | None:
    """None without a baseline; half of alpha is left to who looks at all labels now and then."""
    before, limits = watch.baseline, watch.limits
    if before.latency_ms is None or before.latency_m2 is None:
        return None
    moments = Moments(n=before.requests, mean=before.latency_ms, m2=before.latency_m2)
    return BaselineWatch(moments, limits.latency_increase, limits.alpha / 2, cap_ms, start)


def _evidence(tally: Tally) -> Evidence:
    return Evidence(tally.asked, tally.suspect, tally.timed, tally.sum_ms, tally.squares)


def _open_too_long(breaker: Breaker, most_s: float) -> str | None:
    if breaker.state == "closed" or breaker.open_for < most_s:
        return None
    return f"its circuit breaker has been open for {breaker.open_for:.1f} s"
