"""Refusals of the flows and the command line."""

from registry.errors import Refusal


class FlowsError(Refusal):
    """Catch this to survive anything that the flows refuse."""


class ConfigError(FlowsError):
    """A configuration file that cannot be right; nothing was started."""


class DataError(FlowsError):
    """A table that cannot be used; nothing was trained or decided."""


class NotEnoughData(DataError):
    """Too few rows to say anything; nothing was decided."""

    exit_code = 1


class Unreachable(FlowsError):
    """A server that does not answer; nothing was changed there."""

    exit_code = 3
