"""Detectors that follow the errors one by one."""

from flows.config.section import Section

METRICS: dict[str, str] = {}
"""What rules may name: metric and what it is."""


class Streams(Section):
    """Detectors that follow the errors one by one."""
