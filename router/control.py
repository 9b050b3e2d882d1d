"""The control process: admin port, index and guards. Run it with `python -m router.control`."""

import logging
import threading

import uvicorn

from registry.home import Settings
from registry.store.registry import Registry
from router.admin import admin_app
from router.keeper import Keeper


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings().prepare()
    keeper = Keeper(settings, lambda: Registry.open(settings.registry_url))
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,), daemon=True, name="keeper")
    thread.start()
    try:
        uvicorn.run(
            admin_app(keeper, settings.token()),
            host=settings.host,
            port=settings.admin_port,
            log_level="warning",
            access_log=False,
        )
    finally:
        stop.set()
        thread.join(timeout=5)


if __name__ == "__main__":
    main()
