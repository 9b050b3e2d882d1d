"""How a running trial is looked at."""

from collections.abc import Callable

REPORT_EVERY = 10
"""Rounds, or epochs, between two reports."""

Watch = Callable[[int, float], None]
"""Told the rounds done and the loss so far; may end the trial."""
