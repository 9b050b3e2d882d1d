"""The process of one version: it may be slow, hang, crash or eat its memory, and disturbs nobody."""

import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from registry.records.version import ModelVersion
from registry.upstream.failed import UpstreamFailed
from router.classes import logged
from router.models import Loaded, ModelCache, reason_of
from router.shadow.lean import lean
from router.shadow.wire import Answer, Gone, Ready, Start, receive, send

_PR_SET_PDEATHSIG = 1
_rows = msgspec.json.Decoder(list[msgspec.Raw])
Scored = list[tuple[float | None, object, str | None]]


def main(argv: Sequence[str]) -> None:
    """Serve until the other side goes away."""
    _die_with(int(argv[1]))
    sock = socket.socket(fileno=int(argv[0]))
    with suppress(Gone, OSError):
        start = msgspec.msgpack.decode(receive(sock), type=Start)
        _limit(int(start.memory_mb * (1 << 20)))
        loaded = _load(sock, start)
        while loaded is not None:
            send(sock, msgspec.msgpack.encode(answer(loaded, _rows.decode(receive(sock)))))


def answer(loaded: Loaded, rows: list[msgspec.Raw]) -> Answer:
    """Score a group of copies; one that cannot be scored is not held against its neighbours."""
    started = time.perf_counter()
    scored = _scored(loaded, rows)
    each = round((time.perf_counter() - started) * 1000 / max(1, len(rows)), 4)
    scores, predictions, errors = map(list, zip(*scored, strict=True)) if scored else ([], [], [])
    return Answer(scores=scores, predictions=predictions, errors=errors if any(errors) else [], latency_ms=each)


def _scored(loaded: Loaded, rows: list[msgspec.Raw]) -> Scored:
    try:
        raw = loaded.raw(rows)  # type: ignore[arg-type]
    except MemoryError:
        return [(None, None, "memory")] * len(rows)
    except Exception as error:  # noqa: BLE001 - a broken shadow is a line in the log, never a crash
        if len(rows) <= 1 or isinstance(error, UpstreamFailed):  # nobody asks a server in trouble again
            return [(None, None, reason_of(error))] * len(rows)
        half = len(rows) // 2
        return [*_scored(loaded, rows[:half]), *_scored(loaded, rows[half:])]
    return _proven(loaded, raw, len(rows))


def _proven(loaded: Loaded, raw: Any, size: int) -> Scored:
    try:
        scores, predictions = loaded.proven(raw, size)
    except Exception as error:  # noqa: BLE001 - see above
        if size <= 1 or len(raw) != size:
            return [(None, None, reason_of(error))] * size
        half = size // 2
        return [*_proven(loaded, raw[:half], half), *_proven(loaded, raw[half:], size - half)]
    return [(score, logged(prediction)[0], None) for score, prediction in zip(scores, predictions, strict=True)]


def _load(sock: socket.socket, start: Start) -> Loaded | None:
    try:
        module, _, name = start.loader.partition(":")
        load = getattr(importlib.import_module(module), name)(Path(start.models_dir))
        version = ModelVersion.from_json(start.version)
        loaded = ModelCache(lambda wanted: lean(load(wanted))).get(version)
    except Exception as error:  # noqa: BLE001 - told to the other side
        send(sock, msgspec.msgpack.encode(Ready(said=f"{type(error).__name__}: {error}")))
        return None
    send(sock, msgspec.msgpack.encode(Ready()))
    return loaded


def _limit(size: int) -> None:
    with suppress(ValueError, OSError):  # a lower limit than this is in force already
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(parent: int) -> None:
    """Leave no orphan that hangs when the other side is killed."""
    with suppress(AttributeError, OSError):  # Linux only; elsewhere a child notices at its next message
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
