"""Losses against the baseline, and estimates where labels are missing."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Performance(Section):
    """Losses against the baseline, and estimates where labels are missing."""
