"""Simulated lives of a challenger: holdout, shadow, canary; judged by the real decision code."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np

from flows.comparison.decide import shown
from flows.comparison.holdout import compare_holdout
from flows.comparison.live import compare_live
from flows.rollout.machine import Evidence, Look, next_move
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.rollout import Rollout, Step

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0


class World(NamedTuple):
    """
    How the challenger truly differs.

    Attributes:
        lost, won: Chance that only the champion, only the challenger is right.
        revenue: The challenger's mean revenue per request; the champion's is 1.
        latency: The challenger's mean latency in ms; the champion's is 10.
        failures: The challenger's chance of failing a request.
    """

    lost: float = 0.03
    won: float = 0.03
    revenue: float = 1.0
    latency: float = 10.0
    failures: float = 0.001


POLICY = PromotionPolicy(
    metric="accuracy",
    min_improvement=0.005,
    guardrails=(
        Guardrail(metric="revenue", margin=0.1),
        Guardrail(metric="latency_ms", margin=0.5),
        Guardrail(metric="error_rate", margin=0.02, relative=False),
    ),
    require_approval=False,
)
STEPS = (
    Step(share=0, min_s=HOUR, max_s=20 * HOUR, min_labelled=100),
    Step(share=100_000, min_s=HOUR, max_s=20 * HOUR, min_labelled=100),
    Step(share=500_000, min_s=HOUR, max_s=20 * HOUR, min_labelled=100),
)


def holdout(dice: np.random.Generator, world: World, n: int, policy: PromotionPolicy = POLICY):
    """Judge on n held-out rows; both are right on 83 % of them."""
    draw = dice.random(n)
    ours = draw < 0.85
    theirs = (draw < 0.85 - world.lost) | ((draw >= 0.85) & (draw < 0.85 + world.won))
    labels = (dice.random(n) < 0.5).astype(float)
    scores = [np.where(right, labels, 1 - labels) * 0.6 + 0.2 for right in (ours, theirs)]
    return compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        labels=labels,
        champion_scores=scores[0],
        challenger_scores=scores[1],
        policy=policy,
        decision_id="d",
        at=AT,
    )


def live_through(dice: np.random.Generator, world: World, *, rows: int = 2000, per_hour: int = 500) -> str:
    """What became of one challenger: promoted, rejected, asked (people), or held."""
    first = holdout(dice, world, rows)
    if first.outcome in ("reject", "needs_approval"):
        return {"reject": "rejected", "needs_approval": "asked"}[first.outcome]
    rollout = begun(shown(first))
    now = AT
    while True:
        if rollout.step >= 0 and now - rollout.step_started_at > timedelta(seconds=STEPS[rollout.step].max_s):
            return "held"
        if rollout.step < 0 or now == rollout.step_started_at:
            traffic = Traffic(dice, world, STEPS[max(rollout.step, 0)].share)
        now += timedelta(hours=1)
        traffic.flow(per_hour)
        decision = None
        if rollout.step >= 0:
            metrics = traffic.metrics(f"r-0001.{rollout.step}")
            decision = compare_live(model="m", rollout=rollout, metrics=metrics, task="binary", decision_id="d", at=now)
        baked = (now - rollout.step_started_at).total_seconds()
        evidence = Evidence(traffic.seen, traffic.labelled)
        move = next_move(rollout, Look(now=now, baked_s=baked, decision=decision, evidence=evidence))
        if move.kind in ("promote", "roll_back", "wait"):
            return {"promote": "promoted", "roll_back": "rejected", "wait": "asked"}[move.kind]
        if move.kind in ("start", "advance"):
            proven = rollout.proven or (decision is not None and shown(decision))
            rollout = msgspec.structs.replace(rollout, step=move.step, step_started_at=now, proven=proven)


def begun(proven: bool) -> Rollout:
    return Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=STEPS,
        policy=POLICY,
        salt="s",
        step=-1,
        step_started_at=AT,
        created_at=AT,
        proven=proven,
    )


class Traffic:
    """Requests of one step, as the router would count them."""

    def __init__(self, dice: np.random.Generator, world: World, share: int) -> None:
        self._dice, self._world, self._share = dice, world, share / 1e6
        self._pairs = [0, 0, 0]
        self._arms = {name: Arm() for name in ("champion", "challenger")}

    @property
    def seen(self) -> int:
        return self._pairs[0] if self._share == 0 else self._arms["challenger"].n

    labelled = seen

    def flow(self, n: int) -> None:
        w, theirs = self._world, self._dice.binomial(n, self._share)
        if self._share == 0:
            lost, won = self._dice.multinomial(
                n, [self._world.lost, self._world.won, 1 - self._world.lost - self._world.won]
            )[:2]
            self._pairs = [self._pairs[0] + n, self._pairs[1] + int(lost), self._pairs[2] + int(won)]
        w = self._world
        self._arms["champion"].add(self._dice, n - theirs, 0.85, 1.0, 10.0, 0.001)
        self._arms["challenger"].add(self._dice, theirs, 0.85 - w.lost + w.won, w.revenue, w.latency, w.failures)

    def metrics(self, phase: str) -> ModelMetrics:
        pairs, lost, won = self._pairs
        gain = (won - lost) / max(pairs, 1)
        shadow = ShadowMetrics(
            version="v1.1.0",
            copies=pairs,
            scored=pairs,
            pairs=pairs,
            champion_only_right=lost,
            challenger_only_right=won,
            loss_difference=Moments(n=pairs, mean=0.6 * gain, m2=0.36 * (lost + won - pairs * gain**2)),
        )
        split = self._share > 0
        found = PhaseMetrics(
            phase=phase,
            first_epoch=1,
            last_epoch=1,
            weights={"champion": round(1e6 * (1 - self._share)), "challenger": round(1e6 * self._share)},
            variants={name: arm.metrics() for name, arm in self._arms.items() if split or name == "champion"},
            shadows={} if split else {"v1.1.0": shadow},
        )
        return ModelMetrics(model="m", epoch=1, phases=(found,))


class Arm:
    """Counts of one arm; every key comes once."""

    def __init__(self) -> None:
        self.n, self.right, self.failed = 0, 0, 0
        self.revenue, self.latency = Moments(), Moments()

    def add(
        self, dice: np.random.Generator, n: int, accuracy: float, revenue: float, latency: float, fails: float
    ) -> None:
        self.n += n
        self.right += int(dice.binomial(n, accuracy))
        self.failed += int(dice.binomial(n, fails))
        self.revenue = self.revenue.merge(moments(dice.exponential(revenue, n)))
        self.latency = self.latency.merge(moments(dice.lognormal(np.log(latency) - 0.125, 0.5, n)))

    def metrics(self) -> VariantMetrics:
        mean = self.right / max(self.n, 1)
        right = Moments(n=self.n, mean=mean, m2=self.n * mean * (1 - mean))
        loss = Moments(n=self.n, mean=0.64 - 0.6 * mean, m2=0.36 * right.m2)
        revenue = self.revenue
        return VariantMetrics(
            version="v1.0.0",
            assigned=self.n,
            served=self.n - self.failed,
            fallbacks={"error": self.failed} if self.failed else {},
            latency_ms=self.latency,
            loss=loss,
            correct=right,
            outcomes={"revenue": revenue} if self.n else {},
            units={"correct": per_key(right), "loss": per_key(loss), "revenue": per_key(revenue)} if self.n else {},
            keys=self.n,
        )


def moments(values: np.ndarray) -> Moments:
    if not values.size:
        return Moments()
    return Moments(n=values.size, mean=float(values.mean()), m2=float(((values - values.mean()) ** 2).sum()))


def per_key(once: Moments) -> UnitMoments:
    return UnitMoments(n=once.n, mean_x=1.0, mean_y=once.mean, m2_x=0.0, m2_y=once.m2, co=0.0)
