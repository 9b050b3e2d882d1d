"""How long-running commands say what they are doing."""

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(said: str) -> None:
    """Say nothing."""
