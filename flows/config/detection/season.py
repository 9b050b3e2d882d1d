"""Which rows of the past are like those of now."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Season(Section):
    """Which rows of the past are like those of now."""
