"""What every flow of this room opens, and closes again."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.client import RouterClient
from flows.config.load import registered_config
from flows.config.model import ModelConfig
from flows.notify import Message, notify, settle
from flows.tracking.launch import send_soon
from registry.home import Settings
from registry.records.base import utc
from registry.store.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Registry, router and configuration of one state folder; remembers what it told whom."""

    settings: Settings
    registry: Registry
    client: RouterClient
    told: set[tuple[tuple[str, ...], Message]] = field(default_factory=set)

    def models(self, model: str | None) -> list[str]:
        """Name *model*, or every registered one."""
        return [model] if model else self.registry.models()

    def config(self, model: str) -> ModelConfig:
        """Read the registered configuration."""
        return registered_config(model, self.settings)

    def tell(self, model: str, message: Message) -> None:
        """Notify the people whom the configuration names; of trouble that several models share, once."""
        urls = self.config(model).notify.urls
        if (urls, message) not in self.told:
            self.told.add((urls, message))
            notify(urls, message)


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Desk]:
    """Open everything; at the end, wait for notifications and close, and let runs be sent."""
    settings.prepare()
    with Registry.open(settings.registry_url) as registry, RouterClient(settings, actor="rollout") as client:
        try:
            yield Desk(settings=settings, registry=registry, client=client)
        finally:
            settle()
            send_soon(settings)


def moment(as_of: datetime | None) -> datetime:
    """Now, unless the caller plays another time."""
    return utc(as_of) if as_of is not None else datetime.now(UTC)


def artifact_key(*parts: str) -> str:
    """Name an artifact as Prefect allows: lower-case letters, digits and dashes."""
    return "-".join(parts).replace("_", "-").replace(".", "-").lower()
