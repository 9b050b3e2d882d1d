"""Deliver what waits in the outbox, and mirror the registry; one sender at a time."""

import contextlib
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from flows.background.lock import alone as lock_alone
from flows.config.aftercare import Tracking
from flows.config.load import registered_config
from flows.errors import ConfigError, Unreachable
from flows.tracking.mirror import mirror
from flows.tracking.outbox import Outbox, Waiting
from flows.tracking.runs import Runs
from flows.tracking.store import connect, is_database, mlflow_dir, refuse_silent, said_of, tracking_uri
from registry.errors import Refusal
from registry.home import Settings
from registry.store.registry import Registry

PATIENCE = 60.0
"""Seconds after a failure in which nobody tries by himself."""
LATER = "retry_after"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one sending came to.

    Attributes:
        sent: Entries delivered.
        waiting: Entries left; aside: entries that a server refused too often.
        dropped: Entries lost since the outbox exists.
        mirrored: Models whose versions MLflow shows as they are.
        busy: Whether another sender was at work, and nothing was done.
        said: What went wrong, one sentence each.
    """

    sent: int = 0
    waiting: int = 0
    aside: int = 0
    dropped: int = 0
    mirrored: tuple[str, ...] = ()
    busy: bool = False
    said: tuple[str, ...] = ()


@dataclass
class _Round:
    """One sending under way."""

    settings: Settings
    outbox: Outbox
    deadline: float
    origin: str
    stores: dict[str, tuple[Any, Runs]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    sent: int = 0

    @property
    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def wanted(self, model: str) -> Tracking | None:
        """The registered section; None if there is none."""
        with contextlib.suppress(Refusal):
            return registered_config(model, self.settings).tracking
        return None

    def store(self, configured: str | None) -> tuple[str, Any, Runs]:
        """Open a store once."""
        uri = tracking_uri(self.settings, configured)
        if uri not in self.stores:
            client = connect(self.settings, uri)
            place = mlflow_dir(self.settings) / "artifacts" if is_database(uri) else None
            self.stores[uri] = client, Runs(client, self.origin, place)
        return uri, *self.stores[uri]


def send(settings: Settings, *, limit: int = 10_000, timeout: float = 300.0, repeat: bool = True) -> Sent:
    """
    Send what waits, oldest first, then mirror the registry.

    What a server did not acknowledge is sent again, and found there: no run is made twice. Killed at any moment,
    it loses nothing.

    Args:
        settings: Where outbox and registry are.
        limit: At most so many entries.
        timeout: Seconds after which nothing new is begun.
        repeat: Whether the mirror is brought up to date, too.
    """
    outbox = Outbox(settings)
    with alone(settings, "sending.lock") as first:
        if not first:
            return _outcome(outbox, busy=True)
        work = _Round(settings, outbox, time.monotonic() + timeout, origin_of(settings))
        _send_entries(work, limit)
        mirrored = _mirror(work) if repeat else ()
        outbox.note(LATER, str(time.time() + PATIENCE) if work.silent or work.said else "")
    return _outcome(outbox, sent=work.sent, mirrored=mirrored, said=tuple(dict.fromkeys(work.said)))


def origin_of(settings: Settings) -> str:
    """Name of the registry among those that send to one server: of a shared database, or of this state folder."""
    if settings.database_url is None:
        return Outbox(settings).origin()
    from sqlalchemy import make_url

    url = make_url(settings.database_url)
    return hashlib.sha256(f"{url.host}:{url.port}/{url.database}".encode()).hexdigest()[:12]


def _outcome(outbox: Outbox, **more: Any) -> Sent:
    stock = outbox.stock()
    return Sent(waiting=stock.waiting, aside=stock.aside, dropped=stock.dropped, **more)


def _send_entries(work: _Round, limit: int) -> None:
    after, left = 0, limit
    while left > 0 and not work.late:
        found = work.outbox.waiting(min(100, left), after)
        if not found:
            return
        for one in found:
            if not work.late:
                _send_one(work, one)
        after, left = found[-1].number, left - len(found)


def _send_one(work: _Round, one: Waiting) -> None:
    wanted = work.wanted(one.entry.model)
    configured = wanted.uri if wanted else one.entry.uri
    if str(configured) in work.silent:
        return
    try:
        uri, client, runs = work.store(configured)
    except (Unreachable, ConfigError) as error:
        work.silent.add(str(configured))
        work.said.append(str(error))
        return
    try:
        runs.deliver(one.entry, work.outbox.files(one.number))
    except Exception as error:  # noqa: BLE001  whatever a store may raise: one entry must not hold up the others
        _blame(work, one, error, (str(configured), uri, client))
        return
    work.outbox.sent(one.number)
    work.sent += 1


def _blame(work: _Round, one: Waiting, error: Exception, store: tuple[str, str, Any]) -> None:
    """A store that is gone is no fault of the entry."""
    configured, uri, client = store
    try:
        refuse_silent(client, uri)
    except Unreachable as gone:
        work.silent.add(configured)
        work.said.append(str(gone))
        return
    said = f"{one.entry.run}: {said_of(error)}"
    work.outbox.refused(one.number, said)
    work.said.append(said)


def _mirror(work: _Round) -> tuple[str, ...]:
    """Mirror every model that wants it."""
    try:
        with Registry.open(work.settings.registry_url) as registry:
            return tuple(model for model in registry.models() if not work.late and _mirror_one(work, registry, model))
    except Refusal as refusal:
        work.said.append(str(refusal))
        return ()


def _mirror_one(work: _Round, registry: Registry, model: str) -> bool:
    wanted = work.wanted(model) or Tracking()
    if not (wanted.enabled and wanted.mirror) or str(wanted.uri) in work.silent:
        return False
    try:
        _, client, runs = work.store(wanted.uri)
        said = mirror(client, runs, registry, model, work.origin)
    except (Unreachable, ConfigError) as error:
        work.silent.add(str(wanted.uri))
        work.said.append(str(error))
        return False
    except Exception as error:  # noqa: BLE001  whatever a store may raise: other models go on
        work.said.append(f"{model} was not mirrored: {said_of(error)}")
        return False
    work.said += [said] if said else []
    return not said


def alone(settings: Settings, lock: str) -> contextlib.AbstractContextManager[bool]:
    """Whether no other process has the lock of this name."""
    return lock_alone(settings.home / "tracking" / lock)
