"""Refusals of the training."""

from flows.errors import FlowsError


class ParityRefused(FlowsError):
    """A scorer that disagrees with the model it was folded from; nothing was registered."""


class RetrainingRefused(FlowsError):
    """A retraining that must not run now; nothing was trained."""


class Busy(RetrainingRefused):
    """
    Another process retrains the model; nothing was trained.

    Attributes:
        event: Whose retraining runs; empty if that is not known.
    """

    @property
    def event(self) -> str:
        """The fourth argument, so that it survives pickling."""
        return str(self.args[3]) if len(self.args) > 3 else ""

    @classmethod
    def of(cls, model: str, event: str, holder: str) -> "Busy":
        """Say who retrains it."""
        refusal = cls(
            f"{model} was not retrained.",
            f"{holder} retrains it already{f', for {event}' if event else ''}.",
            "Wait for its end; `understudy events` shows it.",
        )
        refusal.args = (*refusal.args, event)
        return refusal


class TimedOut(FlowsError):
    """A retraining that took longer than it may; nothing was registered."""

    exit_code = 3


class CancelledByPeople(FlowsError):
    """A retraining that somebody has cancelled; nothing was registered."""

    exit_code = 3
