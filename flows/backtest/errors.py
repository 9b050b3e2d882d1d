"""Refusals of the backtest."""

from flows.errors import DataError


class BacktestRefused(DataError):
    """A replay that makes no sense; nothing was fitted."""


class LookAhead(DataError):
    """A policy that wanted to learn from rows whose label was not known yet."""
