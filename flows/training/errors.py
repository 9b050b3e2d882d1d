"""Refusals of the training."""

from flows.errors import FlowsError


class ParityRefused(FlowsError):
    """A scorer that disagrees with the model it was folded from; nothing was registered."""


class RetrainingRefused(FlowsError):
    """A retraining that must not run now; nothing was trained."""
