"""How all signals become one decision."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Fusion(Section):
    """How all signals become one decision."""
