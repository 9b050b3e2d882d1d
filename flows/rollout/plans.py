"""The traffic plan of every state of a rollout; the router makes the same when a person moves one."""

from registry.ramp import CHALLENGER, promotion_plan, rollback_plan, stage_of, step_plan

__all__ = ["CHALLENGER", "promotion_plan", "rollback_plan", "stage_of", "step_plan"]
