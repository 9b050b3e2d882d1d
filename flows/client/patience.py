"""What may pass by itself, and how long tasks of flows wait for it."""

from typing import Any, Final

from registry.errors import ArtifactRefused, Refusal

WAITS: Final = (1.0, 5.0)
"""Seconds before each further try of a task that may be repeated."""
JITTER: Final = 0.5
"""Two runs that found a database busy do not come back at the same moment."""


def may_pass(_task: object, _run: object, state: Any) -> bool:
    """Whether it may help to try again: a server may come back; wrong files and names stay wrong."""
    try:
        state.result()
    except Refusal as refusal:
        return refusal.exit_code == 3 and not isinstance(refusal, ArtifactRefused)
    except Exception:  # noqa: BLE001  whatever a task may raise
        return True
    return False
