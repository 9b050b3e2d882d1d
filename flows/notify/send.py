"""Send in the background; whatever cannot be sent goes to the log."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from flows.notify.messages import Message

log = logging.getLogger("understudy.notify")
Deliver = Callable[[str, Message], bool]

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pending: set["Future[bool]"] = set()


def notify(urls: Sequence[str], message: Message, *, deliver: Deliver | None = None) -> "Future[bool]":
    """
    Tell everybody at *urls*, in a thread; never raises and never waits.

    Args:
        urls: Apprise addresses, e.g. "slack://...", "mailtos://..."; with none, the log is told.
        message: What to tell.
        deliver: Sends to one address and says whether it arrived; Apprise if absent.

    Returns:
        Whether everybody was reached, later; the process waits for it at its end.
    """
    future = _executor().submit(_tell, tuple(urls), message, deliver or _apprise)
    with _lock:
        _pending.add(future)
    future.add_done_callback(_pending.discard)
    return future


def settle(timeout: float = 30.0) -> bool:
    """Wait for what is under way, at most *timeout* seconds; says whether all of it ended."""
    with _lock:
        pending = set(_pending)
    return not wait(pending, timeout=timeout).not_done


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="notify")
        return _pool


def _tell(urls: tuple[str, ...], message: Message, deliver: Deliver) -> bool:
    if not urls:
        log.info("%s", message)
        return False
    missed = [url for url in urls if not _reached(url, message, deliver)]
    for url in missed:
        log.warning("%s (not delivered to %s)", message, _scheme(url))
    return not missed


def _reached(url: str, message: Message, deliver: Deliver) -> bool:
    try:
        return deliver(url, message)
    except Exception as error:  # noqa: BLE001  a notification may fail in any way, the flow may not
        log.warning("%s cannot be used: %s", _scheme(url), type(error).__name__)
        return False


def _apprise(url: str, message: Message) -> bool:
    import apprise

    teller = apprise.Apprise()
    kind = {"info": "info", "success": "success", "warning": "warning", "failure": "failure"}[message.level]
    return bool(teller.add(url)) and bool(teller.notify(title=message.title, body=message.body, notify_type=kind))


def _scheme(url: str) -> str:
    """Only the kind of address: the rest holds secrets."""
    return url.split("://", 1)[0] if "://" in url else "an address without scheme"
