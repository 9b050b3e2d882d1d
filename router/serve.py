"""Start the serving processes: `python -m router.serve`."""

import logging
import os
import socket
import sys
import time
from contextlib import closing

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")

from registry.errors import Refusal
from registry.home import Settings
from router.errors import RouterError

log = logging.getLogger("understudy.router")
SERVICE = "router.service:UnderstudyRouter"
LEAVING_S = 1.0
"""How long the workers of a service that was just killed may take to let go of the port."""


class NotStarted(RouterError):
    """Something that must be mended first; nothing was started."""


def main() -> int:
    """Check, then serve until told to stop; the exit code of a refusal otherwise."""
    try:
        settings = Settings()
        check(settings)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)  # noqa: T201
        return refusal.exit_code
    serve(settings)
    return 0


def check(settings: Settings) -> None:
    """
    Look at what would keep the service from working, before it starts.

    Models and plans are looked at by each worker, which knows how to do without; see `router.operations.selfcheck`.

    Raises:
        OpenDoor: If strangers could reach the servers, and nobody chose who may command them.
        StoreUnavailable: If the state folder cannot be written.
        NotStarted: If the port is taken, or the address is not ours.
    """
    settings.refuse_open_door()
    settings.prepare()
    until = time.monotonic() + LEAVING_S
    while (taken := _taken(settings)) and time.monotonic() < until:
        time.sleep(0.02)
    if taken:
        raise NotStarted(
            "The router was not started.",
            f"It cannot listen on {settings.host}:{settings.router_port}: {taken.strerror or taken}.",
            "Stop what listens there, or set UNDERSTUDY_ROUTER_PORT (and UNDERSTUDY_HOST) to something free.",
        ) from taken


def _taken(settings: Settings) -> OSError | None:
    """What the system says to who wants to listen there; None if it is free."""
    with closing(socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.router_port))
        except OSError as error:
            return error
    return None


def serve(settings: Settings) -> None:
    """Run BentoML's service with its workers; returns when all of them have stopped."""
    from _bentoml_impl.server import serve_http  # type: ignore[import-untyped]
    from bentoml._internal.log import configure_server_logging

    from router.logs import configure_logs
    from router.operations.arbiter import mend_arbiter
    from router.operations.settings import ServeSettings
    from router.service import UnderstudyRouter

    options = ServeSettings()
    configure_server_logging()  # type: ignore[no-untyped-call]
    configure_logs(options)
    mend_arbiter()
    UnderstudyRouter.inject_config()
    serve_http(
        SERVICE,
        working_dir=".",
        host=socket.gethostbyname(settings.host) if ":" not in settings.host else settings.host,
        port=settings.router_port,
        timeout_graceful_shutdown=max(1, round(options.drain_s)),
    )


if __name__ == "__main__":
    raise SystemExit(main())
