"""Which processes make a running system, and how the supervisor is told."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

from registry.home import Settings

POOL = "understudy"
WORKER = "understudy-worker"
_LONGEST_SOCKET = 100  # the kernel allows 107 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """
    One supervised process.

    Attributes:
        command: Its arguments; the interpreter is ours.
        after: Address that must answer 200 before it starts.
        health: Address that answers 200 when it is well; None if it has no port.
        port: Setting of the port it holds, e.g. "router_port".
    """

    name: str
    command: tuple[str, ...]
    after: str = ""
    health: str | None = None
    port: str | None = None


def watchers(settings: Settings) -> tuple[Watcher, ...]:
    """All processes, in the order in which a person wants to read them."""
    host, api = settings.host, settings.prefect_api_url
    server = Watcher(
        name="prefect-server",
        command=_python("-m", "flows.ops.prefect_server", "--host", host, "--port", str(settings.prefect_port)),
        health=f"{api}/health",
        port="prefect_port",
    )
    others = (
        Watcher(
            name="prefect-worker",
            command=_python("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", WORKER),
            after=f"{api}/health",
        ),
        Watcher(
            name="router",
            command=_python("-m", "router.serve"),
            health=f"{settings.router_url}/readyz",
            port="router_port",
        ),
        Watcher(
            name="control",
            command=_python("-m", "router.control"),
            health=f"{settings.admin_url}/healthz",
            port="admin_port",
        ),
        Watcher(name="shadow", command=_python("-m", "router.shadow")),
    )
    return (server, *others) if own_server(settings) else others


def own_server(settings: Settings) -> bool:
    """Whether the Prefect server is ours to start; a foreign PREFECT_API_URL means it is not."""
    return settings.prefect_api_url.rstrip("/") == f"http://{settings.host}:{settings.prefect_port}/api"


def circus_ini(settings: Settings) -> str:
    """
    Write the supervisor's configuration.

    No secret and no environment is in it: circusd hands its own on. Its sockets are
    files in a folder of the user's, so that no other user can give it orders.
    """
    sockets = socket_dir(settings)
    head = [
        "[circus]",
        "check_delay = 0.5",
        f"endpoint = ipc://{sockets}/circus.sock",
        f"pubsub_endpoint = ipc://{sockets}/circus-events.sock",
        "multicast_endpoint =",
        f"pidfile = {pid_file(settings)}",
        "",
    ]
    return "\n".join([*head, *(_section(watcher, settings) for watcher in watchers(settings))])


def socket_dir(settings: Settings) -> Path:
    """Run folder, or a short one of this user if the kernel could not take its path."""
    folder = settings.run_dir.absolute()
    if len(str(folder / "circus-events.sock").encode()) <= _LONGEST_SOCKET:
        return folder
    from hashlib import sha256

    return Path(gettempdir()) / f"understudy-{sha256(str(folder).encode()).hexdigest()[:16]}"


def pid_file(settings: Settings) -> Path:
    """Where circusd writes its process id."""
    return settings.run_dir.absolute() / "circusd.pid"


def book(settings: Settings, name: str) -> Path:
    """Where `keep` writes process id and starts of one process."""
    return settings.run_dir.absolute() / f"{name}.json"


def log(settings: Settings, name: str) -> Path:
    """Output of one process."""
    return settings.logs_dir.absolute() / f"{name}.log"


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def _section(watcher: Watcher, settings: Settings) -> str:
    keep = [
        *_python("-m", "flows.ops.keep"),
        watcher.name,
        str(settings.run_dir.absolute()),
        str(log(settings, watcher.name)),
        watcher.after,
        "--",
        *watcher.command,
    ]
    lines = [
        f"[watcher:{watcher.name}]",
        f"cmd = {shlex.join(keep)}",
        f"working_dir = {settings.home.absolute()}",
        "copy_env = true",
        "graceful_timeout = 17",  # the router finishes what is under way: UNDERSTUDY_DRAIN_S and a little
        "max_retry = -1",
    ]
    return "\n".join([*lines, ""])
