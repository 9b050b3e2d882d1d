"""Start a sender beside the flow, which does not wait for it."""

import logging
import os
from pathlib import Path

from flows.background.lock import alone
from flows.background.process import start
from registry.home import Settings

log = logging.getLogger("understudy.notify")
VARIABLE = "UNDERSTUDY_NOTIFY_SEND"
"""`later` in the environment: nobody sends but `understudy notify send`."""
LOCK = "notify-sender.lock"
_QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def send_soon(settings: Settings) -> bool:
    """
    Send what waits in a process of its own; takes milliseconds, and never raises.

    Returns:
        Whether a sender was started; another one may be at work already.
    """
    try:
        if os.environ.get(VARIABLE) == "later":
            return False
        with alone(settings.run_dir / LOCK) as nobody:
            if not nobody:
                return False
        prefect = {"PREFECT_API_URL": settings.prefect_api_url, "PREFECT_HOME": str(settings.prefect_home)}
        start("flows.notify.sender", settings, log_of(settings), _QUIET | prefect)
    except Exception as error:  # noqa: BLE001  the flow goes on, whatever keeps the sender from starting
        log.warning("no sender of notifications was started: %s", type(error).__name__)
        return False
    return True


def log_of(settings: Settings) -> Path:
    """What senders could not deliver is said there."""
    return settings.logs_dir / "notify.log"
