"""The process that sends: it ends by itself once nothing is due soon."""

import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta

from flows.background.lock import alone
from flows.background.process import behave
from flows.notify.launch import LOCK, log_of
from flows.notify.send import send_due
from registry.errors import Refusal
from registry.home import Settings
from registry.store.registry import Registry

LONGEST = 300.0
"""Seconds after which it begins nothing new."""
LINGER = 10.0
"""Seconds for which it waits for more."""


def main() -> None:
    """Send until nothing comes any more; what comes while this one lets go is sent, too."""
    settings = Settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    behave(log_of(settings), LONGEST + 60)
    until, more = time.monotonic() + LONGEST, True
    while more and time.monotonic() < until:
        with alone(settings.run_dir / LOCK) as first:
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


if __name__ == "__main__":
    main()
