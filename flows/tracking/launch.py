"""Start a sender beside the flow, which does not wait for it."""

import logging
import os
import time
from pathlib import Path

from flows.background.process import behave, start
from flows.tracking.outbox import Outbox, outbox_file
from flows.tracking.send import LATER, alone, send
from registry.home import Settings

log = logging.getLogger("understudy.tracking")
LONGEST = 300.0
"""Seconds after which a sender in the background begins nothing new."""
LINGER = 30.0
"""Seconds for which it waits for more."""
VARIABLE = "UNDERSTUDY_TRACKING_SEND"
"""`later` in the environment: nobody sends but `understudy tracking send`."""


def send_soon(settings: Settings) -> bool:
    """
    Send what waits in a process of its own; takes milliseconds, and never raises.

    Nothing is started while nothing waits, while another one is at work, or within a minute of a failure.

    Returns:
        Whether a sender was started.
    """
    try:
        if os.environ.get(VARIABLE) == "later" or not _is_due(settings):
            return False
        start("flows.tracking.launch", settings, _log(settings))
    except Exception as error:  # noqa: BLE001  the flow goes on, whatever keeps the sender from starting
        log.warning("no sender was started for MLflow: %s: %s", type(error).__name__, error)
        return False
    return True


def _is_due(settings: Settings) -> bool:
    if not outbox_file(settings).exists():
        return False
    outbox = Outbox(settings)
    if outbox.stock().waiting == 0 or time.time() < float(outbox.fact(LATER) or 0):
        return False
    with alone(settings, "sender.lock") as nobody:
        return nobody


def _log(settings: Settings) -> Path:
    """The log is for the last few sendings."""
    return settings.home / "tracking" / "sender.log"


def main() -> None:
    """Send until nothing comes any more; what comes while this one lets go is sent, too."""
    settings = Settings()
    behave(_log(settings), LONGEST + 60)
    until, more = time.monotonic() + LONGEST, True
    while more and time.monotonic() < until:
        with alone(settings, "sender.lock") as first:
            if not first:
                return
            _serve(settings, until)
        more = _is_due(settings)


def _serve(settings: Settings, until: float) -> None:
    """Send, and wait a little for more: importing MLflow costs more than waiting."""
    outbox, quiet = Outbox(settings), time.monotonic() + LINGER
    while time.monotonic() < min(until, quiet) and outbox.file.exists():  # or the state folder was removed
        if outbox.stock().waiting:
            done = send(settings, timeout=until - time.monotonic())
            print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {done}", flush=True)  # noqa: T201  its own log
            if done.said:
                return
            quiet = time.monotonic() + LINGER
        time.sleep(1.0)


if __name__ == "__main__":
    main()
