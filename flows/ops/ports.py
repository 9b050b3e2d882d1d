"""Whether the addresses are free, and who holds them if not."""

import errno
import socket
from collections import Counter
from dataclasses import dataclass

from flows.ops.errors import PortBusy
from flows.ops.watchers import watchers
from registry.errors import Refusal
from registry.home import Settings


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that listens where we want to."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})"


def refuse_busy_ports(settings: Settings) -> None:
    """
    Make sure that every process will get its port.

    Raises:
        PortBusy: With everything that is wrong, who holds which port, and the setting to change.
    """
    if said := mistake(settings.host, 0):
        raise PortBusy(
            "Nothing was started: the address cannot be used.",
            f"{said}.",
            "Set UNDERSTUDY_HOST to an address of this machine, e.g. 127.0.0.1.",
        )
    wanted = wanted_ports(settings)
    twice = [port for port, n in Counter(wanted.values()).items() if n > 1]
    mistakes = [f"port {port} is wanted by {_names(wanted, port)}" for port in twice]
    mistakes += [said for port in dict.fromkeys(wanted.values()) if (said := mistake(settings.host, port))]
    if mistakes:
        busy = [name for name, port in wanted.items() if port in twice or mistake(settings.host, port)]
        raise refusal(mistakes, busy)


def wanted_ports(settings: Settings) -> dict[str, int]:
    """Port by the environment variable that sets it."""
    names = [watcher.port for watcher in watchers(settings) if watcher.port]
    return {f"UNDERSTUDY_{name.upper()}": getattr(settings, name) for name in names}


def refusal(mistakes: list[str], variables: list[str]) -> Refusal:
    """Name the ports and the settings to change."""
    example = f"{variables[0]}={free_port()}"
    stop = "Stop that process, or choose" if any(" is held by " in one for one in mistakes) else "Choose"
    return PortBusy(
        "Nothing was started: a port cannot be used.",
        "; ".join(mistakes) + ".",
        f"{stop} another port, e.g. `export {example}` (set {', '.join(variables)}).",
    )


def mistake(host: str, port: int) -> str:
    """Say why *port* cannot be used; empty if it can."""
    try:
        with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return _said(host, port, error)
    return ""


def holder(port: int) -> Holder | None:
    """Who listens on *port*; None if nobody, or if the kernel does not tell us."""
    import psutil

    try:
        found = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return None
    for connection in found:
        listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
        if listens and connection.pid:
            return Holder(connection.pid, _command(connection.pid))
    return None


def free_port() -> int:
    """Any port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _said(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        by = holder(port)
        return f"port {port} on {host} is held by {by or 'a process that is not ours to see'}"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than we have (below 1024?)"
    return f"{host} cannot be bound: {error.strerror or error}"


def _command(pid: int) -> str:
    import psutil

    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return "a process"
    text = " ".join(words)
    return f"`{text[:120]}`" if text else "a process"


def _names(wanted: dict[str, int], port: int) -> str:
    return " and ".join(name for name, value in wanted.items() if value == port)
