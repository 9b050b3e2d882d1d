"""What the router has seen of a challenger in the current step."""

import hashlib
import math
from datetime import datetime
from typing import NamedTuple

from flows.client import RouterClient
from flows.comparison.evidence import live_arms
from flows.comparison.groups import GroupRows
from flows.comparison.identities import identities
from flows.comparison.live import LiveCase, decide_live, live_case
from flows.config.model import ModelConfig
from flows.data.live import live_frame
from flows.errors import NotEnoughData, Unreachable
from flows.rollout.judging import Evidence
from registry.assignment import TOTAL
from registry.ramp import phase_name, phases_of_step
from registry.records.live import ModelMetrics, Moments, PhaseMetrics
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.store.registry import Registry


class Seen(NamedTuple):
    """
    What one look at the router gave.

    Attributes:
        metrics: As the router said; None if it did not answer.
        case: Everything the decision rests on; None without traffic.
        trouble: Why nothing could be seen; empty if something could.
    """

    metrics: ModelMetrics | None = None
    case: LiveCase | None = None
    decision: Decision | None = None
    evidence: Evidence = Evidence()
    trouble: str = ""

    @property
    def answered(self) -> bool:
        """Whether the router could be asked."""
        return self.metrics is not None


def observe(registry: Registry, rollout: Rollout, client: RouterClient, config: ModelConfig, now: datetime) -> Seen:
    """Ask the router about the step under way, and judge what it says; before the first step there is nothing."""
    if rollout.step < 0:
        return Seen()
    try:
        metrics = client.metrics(rollout.model, min_label_age=rollout.policy.min_label_age_s)
        arms = rows_of(rollout, client, config, metrics.clock)
    except Unreachable as error:
        return Seen(trouble=str(error))
    evidence = evidence_of(rollout, metrics)
    try:
        case = live_case(
            model=rollout.model,
            rollout=rollout,
            metrics=metrics,
            task=config.task,
            decision_id=f"{rollout.id}.{rollout.step}-{rollout.revision}",
            at=now,
            arms=arms,
            identities=_identities(registry, rollout, metrics),
        )
    except NotEnoughData as missing:
        return Seen(metrics, evidence=evidence, trouble=missing.why)
    return Seen(metrics, case, decide_live(case), evidence)


def rows_of(rollout: Rollout, client: RouterClient, config: ModelConfig, clock: float) -> dict[str, GroupRows] | None:
    """
    Ripe rows of a split whose looks are planned; where only harm is looked for, sums are enough.

    A weight that moves has no planned looks: there the always-valid test over its phases decides.
    """
    policy = rollout.policy
    if not has_planned_looks(rollout):
        return None
    ripe = clock - policy.min_label_age_s if policy.min_label_age_s else None
    frame = live_frame(client, config, phase=phase_of(rollout), until=ripe)
    return live_arms(frame, policy.metric, config.task)


def has_planned_looks(rollout: Rollout) -> bool:
    """Whether the step under way is judged on rows, at looks that were planned before it began."""
    step = rollout.steps[rollout.step]
    planned = rollout.policy.method != "always_valid" and step.weighting == "fixed"
    return planned and not rollout.proven and 0 < step.share < TOTAL


def phase_of(rollout: Rollout) -> str:
    """Name of the phase under which the router counts the current step, or its current weight."""
    return phase_name(rollout, rollout.step, rollout.turn)


def evidence_of(rollout: Rollout, metrics: ModelMetrics) -> Evidence:
    """
    Count requests and labels of the challenger in the current step; nothing before the first.

    All weights of a step whose weight moves count, but nothing does while the newest has not been seen.
    """
    names = phases_of_step(rollout, rollout.step, [phase.phase for phase in metrics.phases])
    if rollout.step < 0 or phase_of(rollout) not in names:
        return Evidence()
    phases = [phase for phase in metrics.phases if phase.phase in names]
    counted = _shadow if rollout.steps[rollout.step].share == 0 else _arm
    several = [counted(rollout, phase) for phase in phases]
    finite = all(one.finite for one in several)
    return Evidence(sum(one.seen for one in several), sum(one.labelled for one in several), finite)


def _identities(registry: Registry, rollout: Rollout, metrics: ModelMetrics) -> dict[str, str]:
    champion, challenger = (registry.version(rollout.model, v) for v in (rollout.champion, rollout.challenger))
    return identities(champion, challenger, rollout.policy, hashlib.sha256(metrics.to_json()).hexdigest())


def _shadow(rollout: Rollout, phase: PhaseMetrics) -> Evidence:
    seen = phase.shadows.get(rollout.challenger)
    return _evidence(seen.scored, seen.pairs, seen.loss_difference) if seen else Evidence()


def _arm(rollout: Rollout, phase: PhaseMetrics) -> Evidence:  # noqa: ARG001 (counted like a shadow)
    seen = phase.variants.get("challenger")
    return _evidence(seen.assigned, seen.loss.n, seen.loss) if seen else Evidence()


def _evidence(seen: int, labelled: int, loss: Moments) -> Evidence:
    """Labels whose loss is no number are no evidence, and nothing else is that was counted with them."""
    finite = math.isfinite(loss.mean) and math.isfinite(loss.m2)
    return Evidence(seen, labelled if finite else 0, finite)
