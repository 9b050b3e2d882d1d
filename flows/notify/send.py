"""Send what waits in the outbox; one sender of a machine at a time."""

import logging
import threading
import time
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

import msgspec

from flows.background.lock import alone
from flows.config.operations import Notify
from flows.notify.backoff import gap
from flows.notify.channel import OpenChannel, open_channel
from flows.notify.outbox import nobody_hears, whom, write_to_log
from flows.notify.round import Letter, Round, letter
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.records.notice import Notice, NoticeStatus
from registry.store.registry import Registry

log = logging.getLogger("understudy.notify")
LOCK = "notify.lock"
FIRST = 5.0
"""Seconds that an update waits for people to hear of it."""
_BATCH = 200
_TICK = 0.05


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one sending came to.

    Attributes:
        sent: Notices that everybody has got.
        missed: Notices that are tried again, each time that they were missed.
        given_up: Notices that are not tried again.
        logged: Notices that nobody wants to hear.
        busy: Whether another sender was at work, and nothing was done.
    """

    sent: int = 0
    missed: int = 0
    given_up: int = 0
    logged: int = 0
    busy: bool = False


def send_due(
    settings: Settings, registry: Registry, *, timeout: float = 300.0, through: OpenChannel = open_channel
) -> Sent:
    """
    Send whatever is due, oldest first.

    What an address did not take is tried again later; killed at any moment, it loses nothing.

    Args:
        settings: Where configurations are.
        registry: Holds the outbox.
        timeout: Seconds after which nothing new is begun.
        through: Finds the way to an address.

    Raises:
        Refusal: If the registry cannot be used.
    """
    with alone(settings.run_dir / LOCK) as first:
        if not first:
            return Sent(busy=True)
        return _send_all(settings, registry, time.monotonic() + timeout, through)


def send_first(
    settings: Settings,
    registry: Registry,
    notice: Notice,
    *,
    patience: float = FIRST,
    through: OpenChannel = open_channel,
) -> bool:
    """
    Tell people before something happens: write it down, send it, and wait a little.

    Args:
        settings: Where configurations are.
        registry: Holds the outbox.
        notice: What is about to happen.
        patience: Seconds to wait at most; then it is sent as soon as it can be.
        through: Finds the way to an address.

    Returns:
        Whether everybody who wants to hear of it has got it, or nobody is named. Never raises.
    """
    try:
        registry.add_notice(notice)
        section = whom(settings, notice.model, notice.kind)
        if nobody_hears(notice, section):
            write_to_log(registry, notice)
            return True
    except Exception as error:  # noqa: BLE001  whatever keeps people from hearing, the update goes on
        log.warning("%s: %s (%s)", notice.title, notice.body, type(error).__name__)
        return False
    outcome: SimpleQueue[bool] = SimpleQueue()
    work = (settings, registry, notice.key, patience, through, outcome)
    threading.Thread(target=_one, args=work, name="notify-first", daemon=True).start()
    try:
        return outcome.get(timeout=patience)
    except Empty:
        return False


def _one(
    settings: Settings,
    registry: Registry,
    key: str,
    patience: float,
    through: OpenChannel,
    outcome: "SimpleQueue[bool]",
) -> None:
    """Send one notice once; who sends it already is waited for."""
    until, tried = time.monotonic() + patience, False
    try:
        while not tried and _waits(registry, key) and time.monotonic() < until:
            with alone(settings.run_dir / LOCK) as tried:
                if tried:
                    due = [one for one in registry.notices(limit=_BATCH) if (one.key, one.status) == (key, "waiting")]
                    _send(settings, registry, due, until - time.monotonic(), through)
            if not tried:
                time.sleep(_TICK)
        outcome.put(not _waits(registry, key))
    except Exception as error:  # noqa: BLE001  it is sent later
        log.warning("a notice could not be sent at once: %s", type(error).__name__)
        outcome.put(False)


def _waits(registry: Registry, key: str) -> bool:
    return any((one.key, one.status) == (key, "waiting") for one in registry.notices(limit=_BATCH))


def _send_all(settings: Settings, registry: Registry, until: float, through: OpenChannel) -> Sent:
    done = Sent()
    while time.monotonic() < until:
        due = registry.notices_due(datetime.now(UTC), limit=_BATCH)
        if not due:
            break
        done = _sum(done, _send(settings, registry, due, until - time.monotonic(), through))
    return done


def _send(settings: Settings, registry: Registry, due: list[Notice], timeout: float, through: OpenChannel) -> Sent:
    letters, logged = _letters(settings, registry, due)
    work = Round(registry, through)
    work.send(letters, max(timeout, 0.1))
    return Sent(sent=work.sent, missed=work.missed, given_up=work.given_up, logged=logged)


def _letters(settings: Settings, registry: Registry, due: list[Notice]) -> tuple[list[Letter], int]:
    """Address what is due; what nobody hears is written to the log."""
    letters, logged = [], 0
    sections = {about: _section(settings, *about) for about in {(notice.model, notice.kind) for notice in due}}
    for notice in due:
        section = sections[notice.model, notice.kind]
        if section is None:
            _postpone(registry, notice)
        elif nobody_hears(notice, section):
            write_to_log(registry, notice)
            logged += 1
        else:
            letters.append(letter(notice, section))
    return letters, logged


def _section(settings: Settings, model: str, kind: str) -> Notify | None:
    """Nobody, if the model is not registered here; None if its file cannot be read now."""
    try:
        return whom(settings, model, kind)
    except NotFound:
        return Notify()
    except Refusal as refusal:
        log.warning("whom to tell of %s cannot be read: %s", model, type(refusal).__name__)
        return None


def _postpone(registry: Registry, notice: Notice) -> None:
    attempts, tries = notice.attempts + 1, Notify().tries
    later = datetime.now(UTC) + gap(attempts, tries)
    status: NoticeStatus = "waiting" if attempts < tries else "given_up"
    registry.mark_notice(notice.key, status=status, attempts=attempts, next_at=later, missed=notice.missed)


def _sum(one: Sent, other: Sent) -> Sent:
    return Sent(
        sent=one.sent + other.sent,
        missed=one.missed + other.missed,
        given_up=one.given_up + other.given_up,
        logged=one.logged + other.logged,
    )
