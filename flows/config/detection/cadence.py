"""How often to look, and how often to retrain."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Cadence(Section):
    """How often to look, and how often to retrain."""
