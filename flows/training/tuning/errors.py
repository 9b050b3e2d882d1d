"""Refusals of the tuning."""

from flows.errors import FlowsError


class WorkerLost(FlowsError):
    """A process that ran trials has died; finished trials are kept, and nothing was registered."""

    exit_code = 3
