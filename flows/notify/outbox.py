"""Write down what people are to be told; it is sent by others, later."""

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime

from flows.config.load import registered_config
from flows.config.operations import Notify
from flows.notify.address import wanted
from flows.notify.messages import Message
from flows.notify.scrub import clean
from registry.errors import Refusal
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry
from registry.telling import new_notice

log = logging.getLogger("understudy.notify")
_LONGEST_TITLE = 150


def notice_of(message: Message, *, model: str, key: str, at: datetime | None = None) -> Notice:
    """
    Make the record that waits in the registry.

    Args:
        message: What to tell.
        model: Whose people hear it; empty tells those of every model.
        key: Names what happened once, e.g. "r-0007:promote:5"; the same key is never told again.
        at: On the clock of the machine; now if absent.
    """
    title, body = clean(message.title, _LONGEST_TITLE), clean(message.body)
    return new_notice(message.kind, title, body, model=model, key=key, level=message.level, at=at)


def whom(settings: Settings, model: str, kind: str = "") -> Notify:
    """
    The section of *model*; if it is empty, the addresses of all models whose people want to hear of *kind*.

    Raises:
        Refusal: If the configuration cannot be read; it says the model only.
    """
    if model:
        return registered_config(model, settings).notify
    urls: list[str] = []
    for path in sorted(settings.configs_dir.glob("*.yaml")):
        with contextlib.suppress(Refusal):
            section = registered_config(path.stem, settings).notify
            urls += section.urls if wanted(kind, section.only) else ()
    return Notify(urls=tuple(dict.fromkeys(urls)))


def nobody_hears(notice: Notice, section: Notify) -> bool:
    """Whether nobody is named, or nobody wants to hear of it."""
    return not section.urls or not wanted(notice.kind, section.only)


def write_to_log(registry: Registry, notice: Notice) -> None:
    """Say it in the log, in place of people."""
    log.info("%s: %s", clean(notice.title, _LONGEST_TITLE), clean(notice.body))
    registry.mark_notice(notice.key, status="logged", attempts=notice.attempts, next_at=notice.next_at)


def fingerprint(urls: Sequence[str]) -> str:
    """Name a set of addresses without showing one."""
    return hashlib.sha256("\n".join(sorted(urls)).encode()).hexdigest()[:8]
