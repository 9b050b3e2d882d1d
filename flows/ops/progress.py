"""How long-running commands say what they are doing."""

from collections.abc import Callable

Progress = Callable[[str], None]
REMOVED = "removed, because this version has it no more: "
"""Begins what the deploying process says of old deployments; `up` passes it on."""


def silent(said: str) -> None:
    """Say nothing."""
