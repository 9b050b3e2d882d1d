"""
How BentoML looks after its workers, mended.

Its supervisor (circus) looks for dead workers every 10 seconds, and in a container
(`BENTOML_CONTAINERIZED`) it replaces none. It waits a day for workers that do not stop. Its
workers outlive it if it is killed. It takes orders from everybody on the machine, at a TCP port.
"""

import os
from typing import Any

from router.operations.deaf import deafen
from router.operations.settings import ServeSettings
from router.parent import PARENT

CHECK_S = 0.25
_LAST_S = 5.0
_DEAF = {"endpoint": "inproc://orders", "pubsub_endpoint": "inproc://events"}
"""Nobody outside of the process can reach these; only a plugin, such as that of `--reload`, has to."""
_THEIRS, _OURS = "_bentoml_impl.worker.service", "router.operations.start"


def mend_arbiter() -> None:
    """Dead workers come back at once, in containers too; call it in the parent, before BentoML starts any."""
    from bentoml._internal.utils import circus

    settings, stock = ServeSettings(), circus.Arbiter
    if stock.__name__ == "_Mended":
        return

    class _Mended(stock):  # type: ignore[valid-type, misc]
        """Made here, so that importing this file does not import BentoML."""

        def __init__(self, watchers: list[Any], *args: Any, **kwargs: Any) -> None:
            for watcher in watchers:
                watcher.respawn = True
                watcher.args = [_OURS if word == _THEIRS else word for word in watcher.args]
                watcher.env[PARENT] = str(os.getpid())
                watcher.graceful_timeout = settings.linger_s + settings.drain_s + _LAST_S
            options = {"check_delay": CHECK_S} | ({} if kwargs.get("plugins") else _DEAF)
            super().__init__(watchers, *args, **kwargs | options)

        def stop(self) -> Any:
            # Before the workers hear of it: who is in the queue by then is answered by them.
            for socket in self.sockets.values():
                deafen(socket.fileno())
            return super().stop()

    circus.Arbiter = _Mended  # type: ignore[misc]
