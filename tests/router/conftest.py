"""A registry with two linear versions, and a real router on free ports."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from router_live import AT, Live, free_ports, register

from registry.home import Settings
from registry.records.plan import Guards
from registry.store.registry import Registry


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ports = free_ports(2)
    return Settings(home=tmp_path / "state", router_port=ports[0], admin_port=ports[1]).prepare()


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Registry.open(settings.registry_url) as opened:
        register(settings, opened, "v1.0.0", 1.0)
        register(settings, opened, "v1.1.0", 1.2)
        opened.install_first("m", "v1.0.0", guards=Guards(), salt="first", actor="test", reason="test", at=AT)
        yield opened


@pytest.fixture
def live(settings: Settings, registry: Registry) -> Iterator[Live]:
    running = Live(settings)
    yield running
    running.stop()
