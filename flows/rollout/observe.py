"""What the router has seen of a challenger in the current step."""

from flows.rollout.machine import Evidence
from registry.records.live import ModelMetrics, PhaseMetrics
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
    return Evidence(seen.scored, seen.pairs) if seen else Evidence()


def _arm(phase: PhaseMetrics) -> Evidence:
    seen = phase.variants.get("challenger")
    return Evidence(seen.assigned, seen.loss.n) if seen else Evidence()
