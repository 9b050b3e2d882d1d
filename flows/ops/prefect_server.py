"""
The Prefect server on SQLite, without the minute in which it answers nobody.

Each connection of the server to its database has a thread of its own. A statement that nobody holds any more is
finalized by the thread that collects the garbage, and that one waits for the statement's connection. Where this is the
thread of the event loop, and the connection waits for a lock of another one, whose commit needs the event loop, nothing
moves until SQLite gives up after 60 seconds. So garbage is collected in a thread that nobody waits for.
"""

import gc
import runpy
import sys
import threading
import time


def main() -> None:
    """Start the server with the options of `prefect server start`."""
    collect_aside()
    sys.argv = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__")


def collect_aside(*, started_s: float = 20.0, period_s: float = 5.0) -> None:
    """
    Collect garbage in a thread of its own, and nowhere else.

    Args:
        started_s: Seconds after which what is there, above all what was imported, counts as there for good.
        period_s: Seconds between two rounds after that.
    """
    gc.disable()
    threading.Thread(target=_collect, args=(started_s, period_s), name="garbage", daemon=True).start()


def _collect(started_s: float, period_s: float) -> None:
    time.sleep(started_s)
    gc.collect()
    gc.freeze()
    while True:
        time.sleep(period_s)
        gc.collect()


if __name__ == "__main__":
    main()
