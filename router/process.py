"""Whether a process still is the one that was seen: numbers are dealt again."""

import os
from functools import lru_cache
from pathlib import Path


def alive(pid: int, start: int) -> bool:
    """Whether process *pid* runs, is no zombie, and is the one that began at *start* (0: any)."""
    if not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    found = _stat(pid)
    if found is None:
        return True
    state, began = found
    return state not in ("Z", "X") and start in (0, began)


@lru_cache(maxsize=1)
def started(pid: int) -> int:
    """When process *pid* began, in the kernel's ticks since it booted; 0 where it does not say."""
    found = _stat(pid)
    return found[1] if found else 0


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start, from proc(5); None where there is no such file."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()  # the name before may hold spaces and brackets
    return fields[0], int(fields[19])
