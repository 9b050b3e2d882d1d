"""Refusals around a validation, and what ends one early."""

from flows.errors import FlowsError


class NotValidated(FlowsError):
    """A version that has not shown what it must; it stays where it is."""


class ValidationUnavailable(FlowsError):
    """The router for a validation did not start, whatever the version; nothing was judged."""

    exit_code = 3


class RouterDied(Exception):
    """The router process ended while it worked with the version."""


class NotLoaded(Exception):
    """The router lives, and refused to load the version."""


class OutOfTime(Exception):
    """The time of the validation is up."""
