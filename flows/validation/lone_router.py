"""A real router process that nobody but its validation knows, and that always ends with it."""

import atexit
import os
import random
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx

from flows.validation.deadline import Deadline
from flows.validation.errors import NotLoaded, OutOfTime, RouterDied, ValidationUnavailable
from flows.validation.tied import kill_family, lives
from registry.home import Settings

LOOK_S = 0.05
MB = 2**20
_SERVE = (
    "from router.parent import die_with_parent; die_with_parent(); from router.serve import main; "
    "raise SystemExit(main())"
)
_INFO = re.compile(r"\bINFO\b|^Extension modules")
_BELOW_EPHEMERAL = range(10_000, 32_000)  # the kernel gives higher ones to connections


class LoneRouter:
    """
    `python -m router.serve` with one worker, tied to this process; use it as a context.

    Attributes:
        url: Where it answers.

    Args:
        settings: Of the scratch folder; see `settings_of`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.url = settings, settings.router_url
        self._log = settings.logs_dir / "router.log"
        self._worker: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the command is our own
                [sys.executable, "-c", _SERVE],
                env=_environment(self.settings),
                cwd=self.settings.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.kill)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        atexit.unregister(self.kill)

    def kill(self) -> None:
        """End it at once with its worker; called again it does nothing."""
        if self._process is not None:
            kill_family(self._process.pid)
            self._process.wait()
            self._process = None

    def wait_for(self, model: str, deadline: Deadline) -> None:
        """
        Wait until it serves *model*.

        Args:
            model: Whose plan it must have loaded.
            deadline: How long.

        Raises:
            NotLoaded: If the plan is refused; with the reason.
            RouterDied: If the process ends; with what it said last.
            OutOfTime: If it takes longer.
        """
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            while True:
                ready = self._ready(http, deadline.left(2.0))
                self.refuse_dead(ready.get("worker"))
                if model in ready.get("epochs", {}):
                    self._worker = int(ready["worker"])
                    return
                if model in ready.get("troubles", {}):
                    raise NotLoaded(str(ready["troubles"][model]))
                time.sleep(LOOK_S)

    def memory(self) -> float:
        """
        Resident memory of the worker, in MB.

        Raises:
            RouterDied: If there is no worker any more.
        """
        import psutil

        try:
            return float(psutil.Process(self._worker).memory_info().rss) / MB
        except psutil.Error as error:
            raise RouterDied(self.last_words()) from error

    def end_worker(self) -> None:
        """Kill the worker that was seen first; whoever waits for it hears of it."""
        if self._worker is not None:
            kill_family(self._worker)

    def refuse_dead(self, answers: int | None = None) -> None:
        """Raise RouterDied if the process or the worker that was seen first has ended, or another one *answers*."""
        process, known = self._process, self._worker
        replaced = known is not None and (answers not in (None, known) or not lives(known))
        if replaced or process is None or process.poll() is not None:
            raise RouterDied(self.last_words())

    def last_words(self) -> str:
        """What its log says besides that all is well: how it crashed and where, or the last lines."""
        lines: list[str] = []
        with suppress(OSError):
            lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        lines = [line for line in lines if line and not _INFO.search(line)]
        fatal = next((i for i, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
        if fatal is not None:
            lines = [lines[fatal], *[line for line in lines[fatal:] if line.startswith("File ")][:2]]
        return " / ".join(lines[-3:])[-600:] or "it left no word, as if it was killed, e.g. for want of memory"

    def _ready(self, http: httpx.Client, timeout: float) -> dict[str, Any]:
        try:
            said: dict[str, Any] = http.get("/readyz", timeout=timeout).json()
        except (httpx.TransportError, ValueError):
            return {}
        return said


def settings_of(settings: Settings, home: os.PathLike[str]) -> Settings:
    """Settings of a router of its own, in another folder and on a free port."""
    port = _free_port()
    return settings.model_copy(
        update={
            "home": type(settings.home)(home),
            "host": "127.0.0.1",
            "router_port": port,
            "router_workers": 1,
            "database_url": None,
            "admin_token": "validation-" + os.urandom(8).hex(),
            "admin_tokens_file": None,
        }
    ).prepare()


def start_baseline(router: LoneRouter, model: str, deadline: Deadline) -> None:
    """
    Wait for the router with its trivial version.

    Raises:
        ValidationUnavailable: If it does not start: that is no fault of any version.
    """
    try:
        router.wait_for(model, deadline)
    except (RouterDied, NotLoaded, OutOfTime) as error:
        raise ValidationUnavailable(
            "Nothing was validated: a router of its own did not start.",
            f"It served nothing: {str(error) or 'it was not ready within validation.timeout'}.",
            "Look whether there is memory and disk left; `understudy doctor` may know more.",
        ) from error


def _environment(settings: Settings) -> dict[str, str]:
    """Ours, without what is about the router in use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    return kept | {
        "UNDERSTUDY_HOME": str(settings.home),
        "UNDERSTUDY_ROUTER_PORT": str(settings.router_port),
        "UNDERSTUDY_PARENT": str(os.getpid()),
        "UNDERSTUDY_WORKER_MEMORY_MB": "0",  # the validation itself looks after it
        "BENTOML_HOME": str(settings.models_dir),
        "BENTOML_DO_NOT_TRACK": "true",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "PYTHONFAULTHANDLER": "1",  # a native library that aborts leaves a word
        "PYTHONUNBUFFERED": "1",
    }


def _free_port() -> int:
    while True:
        port = random.choice(_BELOW_EPHEMERAL)  # noqa: S311  no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
