"""What every flow of this room opens, and closes again."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.client import RouterClient
from flows.config.load import registered_config
from flows.config.model import ModelConfig
from flows.notify import Message, forward, notice_of, settle, tell_notice
from flows.tracking.launch import send_soon
from registry.home import Settings
from registry.records.base import utc
from registry.records.notice import Notice
from registry.store.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Registry, router and configuration of one state folder."""

    settings: Settings
    registry: Registry
    client: RouterClient

    def models(self, model: str | None) -> list[str]:
        """Name *model*, or every registered one."""
        return [model] if model else self.registry.models()

    def config(self, model: str) -> ModelConfig:
        """Read the registered configuration."""
        return registered_config(model, self.settings)

    def tell(self, model: str, message: Message, key: str) -> None:
        """Tell the people whom the configuration names, once for each *key*; never raises, and never waits."""
        self.tell_notice(notice_of(message, model=model, key=key))

    def tell_notice(self, notice: Notice) -> None:
        """Tell what may have been written down already, together with what it tells."""
        tell_notice(self.settings, self.registry, notice)


@contextlib.contextmanager
def opened(settings: Settings, *, patience_s: float | None = None) -> Iterator[Desk]:
    """
    Open everything; at the end, let notifications and runs be sent, and close.

    Args:
        settings: Where everything is.
        patience_s: How long the registry waits for another writer; see `Registry.open`.
    """
    settings.prepare()
    with (
        Registry.open(settings.registry_url, patience_s=patience_s) as registry,
        RouterClient(settings, actor="rollout") as client,
    ):
        try:
            yield Desk(settings=settings, registry=registry, client=client)
        finally:
            forward(settings, registry)
            settle()
            send_soon(settings)


def moment(as_of: datetime | None) -> datetime:
    """Now, unless the caller plays another time."""
    return utc(as_of) if as_of is not None else datetime.now(UTC)


def artifact_key(*parts: str) -> str:
    """Name an artifact as Prefect allows: lower-case letters, digits and dashes."""
    return "-".join(parts).replace("_", "-").replace(".", "-").lower()
