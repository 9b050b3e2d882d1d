"""Refusals of the rollout."""

from flows.errors import FlowsError
from registry.errors import ApprovalRefused

__all__ = ["ApprovalRefused", "RolloutRefused"]


class RolloutRefused(FlowsError):
    """A rollout that must not begin; no caller and no stage was touched."""
