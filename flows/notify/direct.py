"""Send once, without an outbox: for when the registry is away."""

import logging
import threading
import time

from flows.config.operations import Notify
from flows.notify.address import Address, addresses
from flows.notify.channel import OpenChannel, open_channel
from flows.notify.outbox import nobody_hears
from flows.notify.scrub import clean
from registry.records.notice import Notice

log = logging.getLogger("understudy.notify")
_pending: set[threading.Thread] = set()


def tell_directly(section: Notify, notice: Notice, *, through: OpenChannel = open_channel) -> None:
    """Tell everybody whom *section* names, in threads; who cannot be reached is named in the log."""
    if nobody_hears(notice, section):
        log.info("%s: %s", clean(notice.title), clean(notice.body))
        return
    for address in addresses(section.urls):
        thread = threading.Thread(target=_try, args=(address, notice, through), daemon=True)
        _pending.add(thread)
        thread.start()


def settle(timeout: float = 2.0) -> bool:
    """Wait for what is under way, at most *timeout* seconds; says whether all of it ended."""
    until = time.monotonic() + timeout
    for thread in list(_pending):
        thread.join(max(0.0, until - time.monotonic()))
        if not thread.is_alive():
            _pending.discard(thread)
    return not _pending


def _try(address: Address, notice: Notice, through: OpenChannel) -> None:
    said = "it did not take it"
    try:
        if through(address)(clean(notice.title), clean(notice.body), notice.level):
            return
    except Exception as error:  # noqa: BLE001  a notification may fail in any way, the flow may not
        said = type(error).__name__
    log.warning("%s: %s (not delivered to %s: %s)", clean(notice.title), clean(notice.body), address.name, said)
