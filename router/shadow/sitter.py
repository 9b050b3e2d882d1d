"""Keep the process of one version: start it, ask it, give it up, wait before it is started again."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from registry.records.version import ModelVersion
from router.shadow.limits import Limits
from router.shadow.wire import Answer, Gone, Ready, Start, receive, send

log = logging.getLogger("understudy.shadow")
LOADER = "router.models:artifact_loader"
_LOOK_S = 0.02
_PAGE = os.sysconf("SC_PAGESIZE")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


class Lost(Exception):
    """The process was given up; the reason is its only argument."""

    @property
    def reason(self) -> str:
        """deadline, crashed, memory or not_loaded."""
        return str(self.args[0])


class Sitter:
    """
    One version's process; used by one thread.

    Args:
        version: What it scores.
        models_dir: Folder of all artifacts.
        loader: See `Start`.
    """

    def __init__(self, version: ModelVersion, models_dir: Path, limits: Limits, loader: str = LOADER) -> None:
        self._name = f"{version.model} {version.version}"
        self._limits = limits
        start = Start(version=version.to_json(), loader=loader, models_dir=str(models_dir), memory_mb=limits.memory_mb)
        self._start = msgspec.msgpack.encode(start)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    def score(self, rows: Sequence[msgspec.Raw]) -> Answer:
        """
        Ask for the scores of some copies.

        Raises:
            Lost: If there is no answer within the deadline. The process is gone then; the next call starts another.
        """
        if self._process is None:
            self._load()
        raw = self._ask(b"[" + b",".join(rows) + b"]", self._limits.deadline(len(rows)))
        try:
            answer = msgspec.msgpack.decode(raw, type=Answer)
        except msgspec.MsgspecError as error:
            raise self._lost("crashed", f"it sent nonsense: {error}") from error
        if {len(answer.scores), len(answer.predictions), len(answer.errors) or len(rows)} != {len(rows)}:
            raise self._lost("crashed", f"it sent {len(answer.scores)} scores for {len(rows)} copies")
        return answer

    def stop(self) -> None:
        """End the process, if there is one."""
        process, sock = self._process, self._socket
        self._process = self._socket = None
        if sock is not None:
            sock.close()
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):  # it waits for a device; the kernel has the last word
                process.wait(5)

    def _load(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "router.shadow.child", str(theirs.fileno()), str(os.getpid())]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env={**os.environ, **_ONE_THREAD}
            )
        self._socket = ours
        answer = self._ask(self._start, self._limits.load_s)
        try:
            said = msgspec.msgpack.decode(answer, type=Ready).said
        except msgspec.MsgspecError as error:
            raise self._lost("crashed", f"it sent nonsense: {error}") from error
        if said:
            raise self._lost("not_loaded", said)

    def _ask(self, message: bytes, seconds: float) -> bytes:
        sock = self._socket
        if sock is None:
            raise self._lost("crashed", "it was stopped")
        end = time.monotonic() + seconds
        try:
            send(sock, message, seconds)
            self._wait(sock, end)
            return receive(sock, max(0.0, end - time.monotonic()) + _LOOK_S)
        except TimeoutError as error:
            raise self._lost("deadline", f"no answer within {seconds:.1f} s") from error
        except (Gone, OSError) as error:
            raise self._lost("crashed", self._end()) from error

    def _wait(self, sock: socket.socket, end: float) -> None:
        """Until something can be read; watches the memory meanwhile."""
        while True:
            sock.settimeout(_LOOK_S)
            with suppress(TimeoutError):
                sock.recv(1, socket.MSG_PEEK)
                return
            if self._memory() > self._limits.memory_mb * (1 << 20):
                raise self._lost("memory", f"it took more than {self._limits.memory_mb:g} MiB")
            if time.monotonic() >= end:
                raise TimeoutError

    def _memory(self) -> int:
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]) * _PAGE
        except (OSError, IndexError, ValueError):  # no Linux: the limit that the process set itself must do
            return 0

    def _end(self) -> str:
        if self._process is None:
            return "it is gone"
        with suppress(subprocess.TimeoutExpired):
            return f"it ended with {self._process.wait(1)}"
        return "it closed its connection"

    def _lost(self, reason: str, said: str) -> Lost:
        log.warning("shadow %s: %s: %s", self._name, reason, said)
        self.stop()
        return Lost(reason)


class Patience:
    """
    How long to leave a version alone that was lost.

    Once is forgiven at once. Lost again within a minute, it rests 1 s, then 2, 4 and so on up to a minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lost_at: float | None = None
        self._rest = 0.0

    def lost(self) -> None:
        """Count one more loss."""
        now = self._clock()
        again = self._lost_at is not None and now - self._lost_at < 60 + self._rest
        self._rest = min(60.0, max(1.0, 2 * self._rest)) if again else 0.0
        self._lost_at = now

    @property
    def resting(self) -> bool:
        """Whether it is too early to start it again."""
        return self._lost_at is not None and self._clock() - self._lost_at < self._rest
