"""The way to one address: through Apprise, or through a block of Prefect's."""

from collections.abc import Callable
from typing import Any, Protocol

from flows.notify.address import Address, instance
from registry.home import Settings
from registry.records.notice import Level

CONNECT, READ = 5.0, 10.0
"""Seconds that a server may take."""


class Channel(Protocol):
    """Brings one message to one address."""

    def __call__(self, title: str, body: str, level: Level) -> bool:
        """Whether it arrived."""


OpenChannel = Callable[[Address], Channel]


class Unusable(Exception):
    """An address that nothing can be sent to."""


def open_channel(address: Address) -> Channel:
    """
    Find the way to *address*.

    Raises:
        Unusable: If there is none.
    """
    if address.block is not None:
        return _of_block(*address.block)
    plugin = instance(address.url)
    if plugin is None:
        raise Unusable(address.kind)
    if not plugin.verify_certificate:
        raise Unusable("certificates must be checked")
    return _of_plugin(plugin)


def _of_plugin(plugin: Any) -> Channel:
    from apprise import NotifyFormat, NotifyType

    plugin.socket_connect_timeout = min(plugin.socket_connect_timeout, READ if _speaks_mail(plugin) else CONNECT)
    plugin.socket_read_timeout = min(plugin.socket_read_timeout, READ)

    def send(title: str, body: str, level: Level) -> bool:
        return bool(plugin.notify(title=title, body=body, notify_type=NotifyType(level), body_format=NotifyFormat.TEXT))

    return send


def _speaks_mail(plugin: Any) -> bool:
    """Its connect timeout is that of every answer."""
    return hasattr(plugin, "smtp_host")


def _of_block(kind: str, name: str) -> Channel:
    """Without `raise_on_failure`, a block says nothing of a message that did not arrive."""
    from prefect.blocks import notifications  # noqa: F401  without it, their kinds are not known
    from prefect.blocks.core import Block
    from prefect.settings import PREFECT_API_URL, temporary_settings

    load: Any = Block.load  # it is both, and its types tell of one
    with temporary_settings({PREFECT_API_URL: Settings().prefect_api_url}):
        block: Any = load(f"{kind}/{name}", _sync=True)

    def send(title: str, body: str, level: Level) -> bool:
        if hasattr(block, "notify_type"):
            block.notify_type = level
        with block.raise_on_failure():
            block.notify(body, subject=title)
        return True

    return send
