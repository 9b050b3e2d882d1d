"""Stop everything that `up` started."""

from flows.ops.health import SystemStatus, status
from flows.ops.progress import Progress, silent
from flows.ops.supervisor import belongings, exclusively, stop, supervisor_pid
from registry.home import Settings


def down(settings: Settings, *, progress: Progress = silent) -> SystemStatus:
    """
    Stop the worker, then the rest; leaves no process behind.

    Does nothing, and says so, if nothing runs.

    Raises:
        AlreadyStarting: If an `up` or `down` is at work.
    """
    settings = settings.prepare()
    with exclusively(settings):
        if supervisor_pid(settings) is None and not belongings(settings):
            progress("nothing was running")
        else:
            progress("stopping the worker, then the servers")
            stop(settings)
            progress("everything is stopped")
        return status(settings)
