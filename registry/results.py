"""How a step of a rollout ended, whoever ended it."""

from datetime import datetime

from registry.records.rollout import Outcome, Rollout, StepResult


def with_result(
    rollout: Rollout, outcome: Outcome, said: str, at: datetime, by: str, decision: str | None
) -> tuple[StepResult, ...]:
    """
    All results of *rollout*, with that of the step under way; before the first step there is none.

    Its times stay in order even where a clock went back.
    """
    if rollout.step < 0:
        return rollout.results
    share = rollout.weight if rollout.weight is not None else rollout.steps[rollout.step].share
    ended = StepResult(
        step=rollout.step,
        share=share,
        outcome=outcome,
        said=said,
        began_at=rollout.step_started_at,
        ended_at=max(at, rollout.step_started_at),
        decision_id=decision,
        by=by,
    )
    return (*rollout.results, ended)
