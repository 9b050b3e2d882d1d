"""Drift that no single column shows."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Joint(Section):
    """Drift that no single column shows."""
