"""What the router has seen of a challenger in the current step."""

import math

from flows.rollout.machine import Evidence
from registry.records.live import ModelMetrics, Moments, PhaseMetrics
from registry.records.rollout import Rollout


def phase_of(rollout: Rollout) -> str:
    """Name of the phase under which the router counts the current step."""
    return f"{rollout.id}.{rollout.step}"


def evidence_of(rollout: Rollout, metrics: ModelMetrics) -> Evidence:
    """Count requests and labels of the challenger in the current step; nothing before the first."""
    phases = [phase for phase in metrics.phases if phase.phase == phase_of(rollout)]
    if not phases or rollout.step < 0:
        return Evidence()
    return _shadow(rollout, phases[-1]) if rollout.steps[rollout.step].share == 0 else _arm(phases[-1])


def _shadow(rollout: Rollout, phase: PhaseMetrics) -> Evidence:
    seen = phase.shadows.get(rollout.challenger)
    return Evidence(seen.scored, _countable(seen.pairs, seen.loss_difference)) if seen else Evidence()


def _arm(phase: PhaseMetrics) -> Evidence:
    seen = phase.variants.get("challenger")
    return Evidence(seen.assigned, _countable(seen.loss.n, seen.loss)) if seen else Evidence()


def _countable(n: int, loss: Moments) -> int:
    """Labels whose loss is no number are no evidence."""
    return n if math.isfinite(loss.mean) and math.isfinite(loss.m2) else 0
