"""Refusals of `up`, `down` and `doctor`."""

from flows.errors import FlowsError


class PortBusy(FlowsError):
    """An address that another process holds; nothing was started."""

    exit_code = 3


class StartFailed(FlowsError):
    """A process that did not become healthy; what the call had started was stopped again."""

    exit_code = 3


class DeployFailed(StartFailed):
    """The servers run, but Prefect does not know all flows; nothing was stopped."""


class AlreadyStarting(FlowsError):
    """Another `up` or `down` is at work on the same state folder; nothing was started or stopped."""

    exit_code = 3
