"""One retraining of a model at a time, whoever asked for it; a killed one blocks nobody."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from flows.training.errors import Busy
from registry.home import Settings

_HELD: set[Path] = set()  # a record lock does not keep its own process out


@contextlib.contextmanager
def alone(settings: Settings, model: str, event: str) -> Iterator[Callable[[str], None]]:
    """
    Keep every other retraining of *model* out, in this state folder and, on Postgres, in this registry.

    Both locks die with their process; a forked child does not inherit the first, nor does a
    child that is left behind keep the second, whose connection it does not know.

    Args:
        settings: Names the state folder and the registry.
        model: Of which no other retraining may run.
        event: Told to whoever is kept out; empty if it is not known yet.

    Yields:
        Told the event once it is known.

    Raises:
        Busy: If another one runs.
    """
    path = settings.run_dir / f"retraining-{model}.lock"
    with _in_folder(path, model), _in_registry(settings, model):
        _sign(path, event)
        yield lambda event: _sign(path, event)


@contextlib.contextmanager
def _in_folder(path: Path, model: str) -> Iterator[None]:
    if path in _HELD:
        raise Busy.of(model, event="", holder="This process")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _busy(model, path) from error
        _HELD.add(path)
        try:
            yield
        finally:
            _HELD.discard(path)


def _sign(path: Path, event: str) -> None:
    said = {"event": event, "process": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}
    path.with_suffix(".json").write_text(json.dumps(said))


def _busy(model: str, path: Path) -> Busy:
    try:
        said: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return Busy.of(model, event="", holder="Another process")
    holder = f"Process {said.get('process')} on {socket.gethostname()}, since {said.get('since')},"
    return Busy.of(model, event=str(said.get("event") or ""), holder=holder)


@contextlib.contextmanager
def _in_registry(settings: Settings, model: str) -> Iterator[None]:
    """Several machines may share a registry on Postgres."""
    if not settings.registry_url.startswith("postgresql"):
        yield
        return
    from sqlalchemy import NullPool, create_engine, text

    engine = create_engine(settings.registry_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    number = int.from_bytes(sha256(f"understudy retraining {model}".encode()).digest()[:8], signed=True)
    with engine.connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}):
            raise Busy.of(model, event="", holder="A process on another machine")
        yield
