"""The first champion: trained like any other, installed at once."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from flows.config.model import ModelConfig
from flows.data.digest import rows_digest
from flows.data.gather import Extracted
from flows.data.sources import name_of
from flows.training.progress import Progress, silent
from flows.training.retraining import run_retraining
from flows.training.shop import Shop
from registry.artifacts import ArtifactStore
from registry.errors import StageConflict
from registry.home import Settings
from registry.records.version import ModelVersion
from registry.store.registry import Registry


def train_first(
    config: ModelConfig,
    frame: pl.DataFrame,
    *,
    settings: Settings,
    registry: Registry,
    artifacts: ArtifactStore,
    actor: str,
    reason: str = "first champion",
    as_of: datetime | None = None,
    on_progress: Progress = silent,
) -> ModelVersion:
    """
    Train the first champion of a model and let it answer everybody, by the configured guards.

    Args:
        config: One model's configuration.
        frame: Labelled rows, as `flows.data` prepares them.
        settings: Names the reports folder.
        registry: Where it is installed; the log gets an event with trigger "initial".
        artifacts: Where its files are kept.
        actor: Who wants it.
        reason: Why.
        as_of: On the model's clock; later rows are left out. Now if absent.
        on_progress: Told the share done.

    Raises:
        StageConflict: If the model has a champion.
        DataError: If the rows cannot be learned from; NotEnoughData if there are too few.
    """
    champion = registry.champion(config.model)
    if champion is not None:
        raise StageConflict(
            f"No first champion of {config.model} was trained.",
            f"{champion.version} is in production already.",
            "Retrain it: `understudy train`.",
        )
    source = name_of(config.data.source) if config.data.source else "a table"
    shop = Shop(
        config=config,
        settings=settings,
        registry=registry,
        artifacts=artifacts,
        extract=lambda *_: Extracted(frame=frame, source=source, version=rows_digest(frame)),
        clock=clock_of(as_of),
        progress=on_progress,
    )
    done = run_retraining(shop, trigger="initial", reason=reason, actor=actor)
    assert done.version is not None
    return done.version


def clock_of(as_of: datetime | None) -> Callable[[], datetime]:
    """Stand still at *as_of*, or go on as time does."""
    return (lambda: datetime.now(UTC)) if as_of is None else (lambda: as_of)
