"""One round of sending: every address in a thread of its own, so that a slow one keeps no other waiting."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.config.operations import Notify
from flows.notify.address import Address, addresses
from flows.notify.backoff import gap
from flows.notify.channel import Channel, OpenChannel
from flows.notify.scrub import clean
from registry.errors import Refusal
from registry.records.notice import Notice, NoticeStatus
from registry.store.registry import Registry

log = logging.getLogger("understudy.notify")
SILENT = 2
"""Failures in a row after which an address is left alone for the rest of a round."""


@dataclass
class Letter:
    """
    One notice on its way.

    Attributes:
        to: Addresses that have not got it yet.
        under_way: Those of them that are tried in this round.
    """

    notice: Notice
    tries: int
    to: set[Address]
    under_way: set[Address] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Try them all."""
        self.under_way = set(self.to)


def letter(notice: Notice, section: Notify) -> Letter:
    """Address *notice* to those who have not got it yet."""
    return Letter(notice, section.tries, set(_left(notice, addresses(section.urls))))


def _left(notice: Notice, known: Sequence[Address]) -> list[Address]:
    """After the first try: those that were missed, or the one that has taken the place of a missed one."""
    if not notice.missed:
        return list(known)
    gone = set(notice.missed) - {address.name for address in known}
    lost = {name.partition(":")[0] for name in gone}
    kinds = [address.kind for address in known]
    return [
        address
        for address in known
        if address.name in notice.missed or (address.kind in lost and kinds.count(address.kind) == 1)
    ]


class Round:
    """
    Sends letters, and notes in the registry what arrived, each time before the next one is sent.

    A process that is killed between sending and noting sends one message per address again. Where nothing can be
    noted, nothing is sent: it would be sent over and over.
    """

    def __init__(self, registry: Registry, open_channel: OpenChannel) -> None:
        self._registry = registry
        self._open = open_channel
        self._lock = threading.Lock()
        self._over = False
        self._broken: Refusal | None = None
        self.sent = self.missed = self.given_up = 0

    def send(self, letters: Sequence[Letter], timeout: float) -> None:
        """
        Try every letter once; what takes longer than *timeout* seconds counts as missed.

        Raises:
            Refusal: If the registry cannot be written.
        """
        for one in letters:
            self._claim(one)
        ways = {address: [one for one in letters if address in one.to] for one in letters for address in one.to}
        threads = [
            threading.Thread(target=self._serve, args=(address, queue), name=f"notify-{address.kind}", daemon=True)
            for address, queue in ways.items()
        ]
        until = time.monotonic() + timeout
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._close(letters)

    def _claim(self, one: Letter) -> None:
        """Note all addresses as missed: who has got it is then taken out one by one."""
        if one.to:
            self._write(one, "waiting", one.notice.attempts, one.notice.next_at)
        else:
            self._note(one)

    def _serve(self, address: Address, queue: Sequence[Letter]) -> None:
        way, failures = self._way(address), 0
        for one in queue:
            if self._over:
                return
            arrived = way is not None and failures < SILENT and _arrives(way, address, one.notice)
            failures = 0 if arrived else failures + 1
            self._done(one, address, arrived=arrived)

    def _way(self, address: Address) -> Channel | None:
        try:
            return self._open(address)
        except Exception as error:  # noqa: BLE001  an address may be wrong in any way
            log.warning("%s cannot be used: %s", address.name, type(error).__name__)
            return None

    def _done(self, one: Letter, address: Address, *, arrived: bool) -> None:
        with self._lock:
            if self._over:
                return
            one.under_way.discard(address)
            if arrived:
                one.to.discard(address)
            try:
                self._keep(one)
            except Refusal as refusal:
                self._over, self._broken = True, refusal

    def _keep(self, one: Letter) -> None:
        if one.under_way:
            self._write(one, "waiting", one.notice.attempts, one.notice.next_at)
        else:
            self._note(one)

    def _close(self, letters: Sequence[Letter]) -> None:
        """From now on, what is still under way counts as missed."""
        with self._lock:
            self._over = True
            if self._broken is not None:
                raise self._broken
            for one in letters:
                if one.under_way:
                    self._note(one)

    def _note(self, one: Letter) -> None:
        """Note how the round ended for one letter."""
        attempts = one.notice.attempts + 1
        if not one.to:
            self.sent += 1
            self._write(one, "sent", attempts, one.notice.next_at)
        elif attempts < one.tries:
            self.missed += 1
            self._write(one, "waiting", attempts, datetime.now(UTC) + gap(attempts, one.tries))
        else:
            self.given_up += 1
            names = ", ".join(sorted(address.name for address in one.to))
            log.warning("%s: %s (not delivered to %s)", clean(one.notice.title), clean(one.notice.body), names)
            self._write(one, "given_up", attempts, one.notice.next_at)

    def _write(self, one: Letter, status: NoticeStatus, attempts: int, next_at: datetime) -> None:
        missed = tuple(sorted(address.name for address in one.to))
        self._registry.mark_notice(one.notice.key, status=status, attempts=attempts, next_at=next_at, missed=missed)


def _arrives(way: Channel, address: Address, notice: Notice) -> bool:
    try:
        return way(clean(notice.title), clean(notice.body), notice.level)
    except Exception as error:  # noqa: BLE001  a notification may fail in any way, the flow may not
        log.warning("%s does not answer as it should: %s", address.name, type(error).__name__)
        return False
