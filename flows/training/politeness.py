"""Train in the background: whoever serves on the same machine comes first. Light: import it before anything numeric."""

import contextlib
import os
from pathlib import Path

POLITENESS = 10
"""Nice value: a tenth of the share that a process without one gets of a busy core."""
THREADS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # a waiting thread sleeps
    "GOMP_SPINCOUNT": "0",
    "OMP_NUM_THREADS": "1",  # of what is not told how many; training.threads is told
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "2",
}


def cap_threads() -> None:
    """Set what numeric libraries read when they are loaded; the environment wins."""
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def be_polite() -> None:
    """Lower the priority of this process and of all that it starts, for cores and for the disk."""
    if os.nice(0) < POLITENESS:
        os.nice(POLITENESS - os.nice(0))
    _yield_disk()
    _yield_session()


def _yield_disk() -> None:
    import psutil

    if hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def _yield_session() -> None:
    """Where the kernel shares cores among sessions first, a nice value counts inside its session only."""
    own = Path("/proc/self/autogroup")
    if os.getsid(0) == os.getpid() and own.exists():
        with contextlib.suppress(OSError):
            own.write_text(str(POLITENESS))
