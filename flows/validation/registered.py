"""Validate a version that is registered already, on the newest rows that are known."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.client import RouterClient
from flows.comparison.scoring import TableScorer
from flows.config.model import ModelConfig
from flows.data.history import columns_of_history, history, read_seed, seed_file
from flows.errors import DataError, Unreachable
from flows.validation.evidence import passed, record, refuse_unvalidated
from flows.validation.holdout import HeldOut
from flows.validation.report import ValidationReport
from flows.validation.rows import made_up, rows_for
from flows.validation.validate import validate
from registry.artifacts import ArtifactStore
from registry.errors import Refusal
from registry.home import Settings
from registry.records.version import ModelVersion
from registry.store.registry import Registry


def ensure_validated(
    config: ModelConfig, settings: Settings, registry: Registry, version: ModelVersion, *, actor: str, at: datetime
) -> None:
    """
    Validate a version that never was, if the configuration asks for it.

    Raises:
        NotValidated: If it fails, or has failed before.
    """
    if config.validation.enabled and passed(registry, version) is None:
        validate_registered(config, settings, registry, version, actor=actor, at=at)
    refuse_unvalidated(config, registry, version, f"{version.version} was not promoted.")


def validate_registered(
    config: ModelConfig,
    settings: Settings,
    registry: Registry,
    version: ModelVersion,
    *,
    frame: pl.DataFrame | None = None,
    actor: str,
    at: datetime,
) -> ValidationReport:
    """
    Validate, keep what was found in the audit trail, and reject a version in staging that failed.

    Args:
        config: Names budgets, slices and tests.
        settings: Where artifacts and tables are.
        registry: Where the version is registered.
        version: As registered.
        frame: Prepared rows to ask about; the newest known ones if absent, and made-up ones if there are none.
        actor: Who asked for it.
        at: On the model's clock.

    Raises:
        ArtifactRefused: If its files are not what was registered.
        DataError: If *frame* lacks a feature.
        ValidationUnavailable: If no router starts here.
    """
    artifacts = ArtifactStore(settings.models_dir)
    files = artifacts.load(version.model, version.version, version.artifact_digest)
    rows = known_rows(config, settings, version) if frame is None else frame
    held = _held_out(config, rows, version, registry.champion(version.model), artifacts)
    report = validate(config, settings, version, files, held)
    record(registry, version, report, actor=actor, at=at)
    return report


def known_rows(config: ModelConfig, settings: Settings, version: ModelVersion) -> pl.DataFrame:
    """Labelled rows of the log and the first table; without the router, of the table; else made-up ones."""
    names = [feature.name for feature in version.features]
    found = _labelled(config, settings)
    return made_up(version.features) if found is None or not set(names) <= set(found.columns) else found


def _labelled(config: ModelConfig, settings: Settings) -> pl.DataFrame | None:
    try:
        with RouterClient(settings) as client:
            found = history(client, config, settings)
    except Unreachable:
        seed = read_seed(seed_file(settings, config.model), columns_of_history(config))
        found = pl.DataFrame() if seed is None else seed.filter(pl.col("_label").is_not_null())
    except Refusal:  # the model is new to the router, or its table is of another time
        return None
    return found if found.height else None


def _held_out(
    config: ModelConfig, frame: pl.DataFrame, version: ModelVersion, champion: ModelVersion | None, store: ArtifactStore
) -> HeldOut:
    """What is expected are the scores of the same files in this process."""
    frame = frame.tail(max(config.validation.rows, _JUDGED)) if "_time" in frame.columns else frame
    others = [one for one in (version, champion) if one is not None]
    ends = [one.data.end.timestamp() for one in others if one.data.end is not None]
    unseen = frame.height
    if ends and "_time" in frame.columns:
        unseen = int((frame["_time"] > max(ends) + 1e-6).sum())
    rival = champion if champion is not None and champion.version != version.version else None
    return HeldOut(
        frame=frame,
        labels=frame["_label"].to_numpy() if _is_labelled(frame) else None,
        expected=_scores(config, version, frame, store),
        champion=_scores(config, rival, frame, store) if rival is not None else None,
        unseen=unseen,
    )


_JUDGED = 10_000
"""Rows on which slices are judged, at most."""


def _is_labelled(frame: pl.DataFrame) -> bool:
    return "_label" in frame.columns and bool(frame["_label"].is_not_null().all())


def _scores(
    config: ModelConfig, version: ModelVersion, frame: pl.DataFrame, store: ArtifactStore
) -> NDArray[np.float64] | None:
    """None where they cannot be had here: the router will say why."""
    try:
        return TableScorer(version, store).score(rows_for(config, version, frame))
    except (Refusal, DataError):
        return None
