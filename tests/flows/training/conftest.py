"""A shop of real parts: registry, artifacts, state folder."""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from training_making import NOW, make_config

from flows.config.model import ModelConfig
from flows.data.gather import Extracted
from flows.training.shop import Shop
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.store.registry import Registry


@pytest.fixture
def settings() -> Settings:
    return Settings().prepare()


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.models_dir)


@pytest.fixture
def make_shop(settings: Settings, registry: Registry, artifacts: ArtifactStore) -> Callable[..., Shop]:
    """Make a shop that reads *frame*."""

    def make(frame: pl.DataFrame | Callable[[], pl.DataFrame], config: ModelConfig | None = None, **more: Any) -> Shop:
        def extract(contract: Any, as_of: Any) -> Extracted:
            return Extracted(frame=frame() if callable(frame) else frame, source="a test", version="")

        parts = {"settings": settings, "registry": registry, "artifacts": artifacts, "clock": lambda: NOW}
        return Shop(config=config or make_config(), extract=extract, **(parts | more))

    return make
