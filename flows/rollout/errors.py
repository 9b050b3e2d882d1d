"""Refusals of the rollout."""

from flows.errors import FlowsError


class RolloutRefused(FlowsError):
    """A rollout that must not begin; no caller and no stage was touched."""


class ApprovalRefused(FlowsError):
    """An approval that does not count; nothing was recorded."""
