"""Start a sender beside the flow, which does not wait for it."""

import contextlib
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.background.lock import alone
from flows.background.process import behave, start
from flows.notify.send import send_due
from registry.errors import Refusal
from registry.home import Settings
from registry.store.registry import Registry

log = logging.getLogger("understudy.notify")
VARIABLE = "UNDERSTUDY_NOTIFY_SEND"
"""`later` in the environment: nobody sends but `understudy notify send`."""
LONGEST = 300.0
"""Seconds after which a sender in the background begins nothing new."""
LINGER = 10.0
"""Seconds for which it waits for more."""
_LOCK = "notify-sender.lock"
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
        with alone(settings.run_dir / _LOCK) as nobody:
            if not nobody:
                return False
        start("flows.notify.launch", settings, _log(settings), _QUIET | {"PREFECT_API_URL": settings.prefect_api_url})
    except Exception as error:  # noqa: BLE001  the flow goes on, whatever keeps the sender from starting
        log.warning("no sender of notifications was started: %s", type(error).__name__)
        return False
    return True


def main() -> None:
    """Send until nothing comes any more; what comes while this one lets go is sent, too."""
    settings = Settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    behave(_log(settings), LONGEST + 60)
    until, more = time.monotonic() + LONGEST, True
    while more and time.monotonic() < until:
        with alone(settings.run_dir / _LOCK) as first:
            if not first:
                return
            more = _serve(settings, until)


def _serve(settings: Settings, until: float) -> bool:
    """Send, and wait for what is due soon; says whether something has come at the last moment."""
    if not settings.configs_dir.exists():  # the state folder was removed
        return False
    with contextlib.suppress(Refusal), Registry.open(settings.registry_url) as registry:
        quiet = time.monotonic() + LINGER
        while time.monotonic() < min(until, quiet) and settings.configs_dir.exists():
            done = send_due(settings, registry, timeout=until - time.monotonic())
            if done.sent or done.missed or done.busy or _comes(registry, until - time.monotonic()):
                quiet = time.monotonic() + LINGER
            time.sleep(0.5)
        return bool(registry.notices_due(datetime.now(UTC), limit=1))
    return False


def _comes(registry: Registry, seconds: float) -> bool:
    """Whether something is due within *seconds*."""
    return bool(registry.notices_due(datetime.now(UTC) + timedelta(seconds=seconds), limit=1))


def _log(settings: Settings) -> Path:
    return settings.logs_dir / "notify.log"


if __name__ == "__main__":
    main()
