"""Where the event log of a state folder is, who reads it, and what its rows look like."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from flows.data.eventlog.lake import Lake
from flows.data.eventlog.retain import Readers, readers_of
from registry.errors import Refusal
from registry.home import Settings
from registry.reader import PlanReader
from registry.records.plan import CHAMPION
from registry.records.version import Feature


def lake_of(settings: Settings) -> Lake:
    """The Parquet tables."""
    return Lake(settings.home / "lake")


def log_readers(settings: Settings) -> Readers:
    """How far index and shadow have read."""
    return readers_of(settings.home / "index.sqlite", settings.shadow_position)


def served_features(settings: Settings) -> Callable[[str], Sequence[Feature]]:
    """Features of the version that a model serves, asked once per model; none if the registry does not know it."""
    reader = PlanReader(settings.registry_url)

    @lru_cache
    def features(model: str) -> Sequence[Feature]:
        try:
            plan = reader.plan(model)
            version = reader.version(model, plan.version_of(CHAMPION)) if plan else None
        except Refusal:
            return ()
        return version.features if version else ()

    return features
