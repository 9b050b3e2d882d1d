"""The weight of a step that follows the evidence: Thompson sampling above a floor."""

import math
from collections.abc import Sequence

from flows.comparison.live_tests import primary_gain
from flows.rollout.machine import Weight
from flows.stats.adaptive.thompson import thompson_weights
from flows.stats.bayes.beliefs import Normal
from registry.assignment import TOTAL
from registry.records.live import PhaseMetrics
from registry.records.rollout import Rollout, Step
from registry.records.version import Task

_LEAST_CHANGE = TOTAL // 1000
"""Smaller changes are not worth a phase of their own."""


def due_turn(step: Step, turn: int, baked_s: float) -> int | None:
    """
    Number of the weight that is due after a stay; None while the present one stands.

    Weights that nobody was there to set are left out: after a long pause there is one, not many.

    Example:
        >>> hourly = Step(share=100_000, min_s=0, max_s=9e9, weighting="thompson", every_s=3600)
        >>> due_turn(hourly, 0, 3599.0), due_turn(hourly, 0, 3600.0), due_turn(hourly, 1, 9000.0)
        (None, 1, 2)
    """
    if step.weighting != "thompson" or step.every_s <= 0:
        return None
    due = math.floor(baked_s / step.every_s)
    return due if due > turn else None


def next_weight(rollout: Rollout, phases: Sequence[PhaseMetrics], task: Task, baked_s: float) -> Weight | None:
    """
    The weight that is due; None while the present one stands, or there is too little to go by.

    It is f + (1 - 2 f) w: w is the chance that the challenger is better, given its stratified gain over all
    weights so far, f the floor. Callers keep their model as far as the weight allows: the challenger grows and
    shrinks at the edge of its home.

    Args:
        rollout: In a step whose weight moves.
        phases: Of this step, newest last.
        task: What the loss is.
        baked_s: Stay of the step so far, in seconds.

    Source:
        Thompson (1933), Biometrika 25:285-294; as `thompson_weights`, where only the difference is known.
    """
    step = rollout.steps[rollout.step]
    turn = due_turn(step, rollout.turn, baked_s)
    seen = primary_gain(rollout, phases, task) if turn is not None else None
    if turn is None or seen is None or not 0 < seen.error < math.inf:
        return None
    half = seen.error / math.sqrt(2)
    beliefs = {
        "champion": Normal(mean=0.0, sd=half, n=seen.n),
        "challenger": Normal(mean=seen.estimate, sd=half, n=seen.n),
    }
    found = thompson_weights(beliefs, floor=step.floor / TOTAL, total=TOTAL)
    share, chance = min(max(found.weights["challenger"], 1), TOTAL - 1), found.best["challenger"]
    if rollout.weight is not None and abs(share - rollout.weight) < _LEAST_CHANGE:
        return None
    said = f"weight {turn}: {share / TOTAL:.1%} of callers, as it is better with a chance of {chance:.1%}"
    return Weight(share, turn, said)
