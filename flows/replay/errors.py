"""Refusals of the replay."""

from flows.errors import FlowsError


class ReplayExists(FlowsError):
    """A replay of that name; nothing was sent."""


class ReplayRefused(FlowsError):
    """A replay that cannot be played as asked; nothing was sent."""


class ReplayStuck(FlowsError):
    """Something that did not come back in time; the progress is kept, and `--resume` goes on."""

    exit_code = 3
