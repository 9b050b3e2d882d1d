"""The control process: admin port, index and guards. Run it with `python -m router.control`."""

import logging
import sys
import threading

import uvicorn

from registry.errors import Refusal
from registry.home import Settings
from registry.store.registry import Registry
from router.admin import admin_app
from router.admin.lookout import Lookout
from router.admin.push import Push
from router.admin.workers import troubles
from router.keeper import Keeper

log = logging.getLogger("understudy.control")
# Readers compute; a rollback gets the interpreter back after this, not after five times as long for each of them.
SWITCH_S = 0.001


def main() -> None:
    """Serve until told to stop; a refusal ends it with a sentence instead of a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(Settings())
    except Refusal as error:
        log.error("%s", error)
        sys.exit(error.exit_code)


def serve(settings: Settings) -> None:
    """
    Serve the admin port, and keep the index.

    Raises:
        OpenDoor: If strangers could reach it and no token was chosen.
        InvalidRecord: If the file of tokens cannot be understood.
        StoreUnavailable: If the state folder cannot be used.
    """
    settings.refuse_open_door()
    settings = settings.prepare()
    sys.setswitchinterval(SWITCH_S)
    keeper = Keeper(settings, lambda: Registry.open(settings.registry_url))
    app = admin_app(keeper, settings.token(), settings)
    push = Push(settings.prefect_api_url, keeper.reading, settings.run_dir / "pushed")
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,), daemon=True, name="keeper")
    thread.start()
    lookout = Lookout(keeper, lambda: troubles(settings.router_url, keeper.seen()))
    for name, beside in (("push", push.run), ("lookout", lookout.run)):
        threading.Thread(target=beside, args=(stop,), daemon=True, name=name).start()
    try:
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.admin_port,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # an address that the sender may choose would make the count of wrong tokens void
            server_header=False,
        )
    finally:
        stop.set()
        thread.join(timeout=5)


if __name__ == "__main__":
    main()
