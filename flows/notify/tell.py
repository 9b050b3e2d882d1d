"""Tell people: written down now, sent beside the flow. Nothing here raises, and nothing waits."""

import logging
from datetime import UTC, datetime

from flows.background.lock import in_turn
from flows.notify.direct import tell_directly
from flows.notify.launch import send_soon
from flows.notify.outbox import nobody_hears, whom, write_to_log
from registry.errors import NotFound, Refusal, StoreUnavailable
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry

log = logging.getLogger("understudy.notify")
_LOCK = "notify-log.lock"
_MOST = 200


def tell_notice(settings: Settings, registry: Registry, notice: Notice) -> None:
    """
    Keep *notice* in the outbox, and let it be sent; the log is told where nobody is named.

    What is known by its key is not told again. With a registry that is away it is sent at once, and only once:
    better than never.
    """
    try:
        try:
            registry.add_notice(notice)
            forward(settings, registry)
        except StoreUnavailable:
            tell_directly(whom(settings, notice.model, notice.kind), notice)
    except Exception as error:  # noqa: BLE001  a notification may fail in any way, the flow may not
        log.warning("%s (%s)", notice.title, type(error).__name__)


def forward(settings: Settings, registry: Registry) -> None:
    """Send what waits, e.g. what was written together with a rollback; for the end of every look. Never raises."""
    try:
        with in_turn(settings.run_dir / _LOCK):
            due = registry.notices_due(datetime.now(UTC), limit=_MOST)
            left = [notice for notice in due if not _logged(settings, registry, notice)]
        if left:
            send_soon(settings)
    except Exception as error:  # noqa: BLE001  a notification may fail in any way, the flow may not
        log.warning("notifications wait: %s", type(error).__name__)


def _logged(settings: Settings, registry: Registry, notice: Notice) -> bool:
    """Write to the log what nobody hears; says whether that was so."""
    try:
        unheard = nobody_hears(notice, whom(settings, notice.model, notice.kind))
    except NotFound:
        unheard = True
    except Refusal:
        return False
    if unheard:
        write_to_log(registry, notice)
    return unheard
