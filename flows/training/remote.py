"""Register a model server as a version, after really asking it."""

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import polars as pl

from flows.config.model import ModelConfig
from flows.data.prepare import features_only
from flows.detection.standard import REFERENCE_FILE
from flows.detection.univariate.profile import ReferenceProfile, profile
from flows.errors import DataError, Unreachable
from flows.training.describing import CARD_FILE
from registry.artifacts import ArtifactStore
from registry.errors import InvalidRecord
from registry.records.upstream import UPSTREAM_FILE, Upstream
from registry.records.version import Feature, ModelVersion, Task, TrainingData, next_version
from registry.store.registry import Registry
from registry.upstream.caller import Caller
from registry.upstream.failed import UpstreamFailed
from registry.upstream.mapping import Mapper, url_of

Row = dict[str, Any]
PATIENCE_MS = 30_000.0
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """
    What the server was asked, and what it said.

    Attributes:
        request: Body of the request.
        scores: One per row.
        latency_ms: Of the second time, over the connection that was there.
    """

    url: str
    request: str
    rows: list[Row]
    scores: list[float]
    latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A remote version that has answered, and could be registered."""

    version: ModelVersion
    files: dict[str, bytes]
    probe: Probe


def propose(
    config: ModelConfig,
    upstream: Upstream,
    registry: Registry,
    artifacts: ArtifactStore,
    *,
    sample: pl.DataFrame | None,
    actor: str,
    reason: str,
    at: datetime,
) -> Proposal:
    """
    Ask the server, and describe it as a version; nothing is stored.

    Args:
        config: Of the model.
        upstream: Where and how.
        registry: Knows the champion and the numbers.
        artifacts: Has the champion's reference profile.
        sample: Rows to ask; by default one that is typical of the champion's.
        actor, reason: Who wants it and why.
        at: On the model's clock.

    Raises:
        InvalidRecord: If the upstream does not fit the model's features, or there are several classes.
        DataError: If there is no row to ask.
        Unreachable: If the server gives no usable score; with what it said.
    """
    _refuse_classes(config)
    champion = registry.champion(config.model)
    features = champion.features if champion else _features(config)
    reference = _reference(config, champion, artifacts, sample)
    rows = _rows(config, sample) if sample is not None else [_typical(reference, features)]
    probe = ask(upstream, features, config.task, rows)
    known = [version.version for version in registry.versions(config.model)]
    files = _files(config, upstream, probe, reference)
    version = ModelVersion(
        model=config.model,
        version=next_version(known),
        task=config.task,
        target=config.target,
        features=features,
        algorithm="remote",
        params={"url": url_of(upstream), "protocol": upstream.protocol, "layout": upstream.form},
        data=_data(upstream),
        artifact_digest="0" * 64,
        parity=0.0,
        parent=champion.version if champion else None,
        created_at=at,
        actor=actor,
        reason=reason,
    )
    return Proposal(version=version, files=files, probe=probe)


def _refuse_classes(config: ModelConfig) -> None:
    if config.task == "multiclass":
        raise InvalidRecord(
            f"{config.model} cannot be answered by a server.",
            "Its task is multiclass: a server answers with one number per row, and several classes need one each.",
            "Train a version whose files are here: `understudy train`.",
        )


def ask(upstream: Upstream, features: tuple[Feature, ...], task: Task, rows: list[Row]) -> Probe:
    """
    Ask the server about some rows, twice: the first time may be a slow one.

    Raises:
        Unreachable: If it gives no usable score.
        ArtifactRefused: If a secret is not in the environment.
    """
    mapper = Mapper(upstream, features)
    raw, latency_ms = asyncio.run(_replies(upstream, Caller(upstream, mapper), rows))
    try:
        scores = mapper.scores(raw, len(rows))
    except UpstreamFailed as failed:
        raise _unusable(upstream, str(failed), raw) from failed
    wrong = [score for score in scores if not math.isfinite(score) or (task == "binary" and not 0 <= score <= 1)]
    if wrong:
        wanted = "a probability between 0 and 1" if task == "binary" else "a finite number"
        raise _unusable(upstream, f"a score is {wrong[0]}, expected {wanted}", raw)
    return Probe(
        url=mapper.url, request=mapper.body(rows).decode(), rows=rows, scores=scores, latency_ms=round(latency_ms, 1)
    )


async def _replies(upstream: Upstream, caller: Caller, rows: list[Row]) -> tuple[bytes, float]:
    try:
        await caller.reply(rows, deadline_ms=PATIENCE_MS, retry=True)
        began = time.perf_counter()
        raw = await caller.reply(rows, deadline_ms=PATIENCE_MS, retry=True)
        return raw, (time.perf_counter() - began) * 1000
    except UpstreamFailed as failed:
        raise Unreachable(
            f"{url_of(upstream)} was not registered.",
            f"It was asked, and {failed}.",
            "Start the server, or correct url, model and headers.",
        ) from failed
    finally:
        await caller.close()


def _unusable(upstream: Upstream, why: str, raw: bytes) -> Unreachable:
    said = raw[:_SHOWN].decode(errors="replace")
    return Unreachable(
        f"{url_of(upstream)} was not registered.",
        f"{why[0].upper()}{why[1:]}; it said: {said}{'...' if len(raw) > _SHOWN else ''}.",
        "Say where the scores are: `scores` and `score` are JSON pointers, `output` names a v2 tensor.",
    )


def _reference(
    config: ModelConfig, champion: ModelVersion | None, artifacts: ArtifactStore, sample: pl.DataFrame | None
) -> ReferenceProfile:
    """What rows look like: drift is measured against it also when a server is the champion."""
    if champion is not None:
        files = artifacts.load(champion.model, champion.version, champion.artifact_digest)
        if REFERENCE_FILE in files:
            return ReferenceProfile.from_json(files[REFERENCE_FILE])
    if sample is None:
        raise DataError(
            f"No row of {config.model} is known that the server could be asked about.",
            "There is no champion with a reference profile.",
            "Give some rows: --sample FILE.",
        )
    return profile(features_only(config, sample), config)


def _rows(config: ModelConfig, sample: pl.DataFrame) -> list[Row]:
    return features_only(config, sample.head(3)).select(config.features.names).to_dicts()


def _typical(reference: ReferenceProfile, features: tuple[Feature, ...]) -> Row:
    """Medians, and the most frequent levels."""
    row: Row = {}
    for feature in features:
        numeric, words = reference.numeric.get(feature.name), reference.categorical.get(feature.name)
        if feature.kind != "categorical":
            row[feature.name] = numeric.quantiles[len(numeric.quantiles) // 2] if numeric and numeric.n else None
        else:
            row[feature.name] = next(iter(words.counts), None) if words else None
    return row


def _features(config: ModelConfig) -> tuple[Feature, ...]:
    numeric = [Feature(name=name, kind="numeric") for name in config.features.numeric]
    dates = [Feature(name=name, kind="date") for name in config.features.dates]
    return (*numeric, *dates, *[Feature(name=name, kind="categorical") for name in config.features.categorical])


def _data(upstream: Upstream) -> TrainingData:
    fingerprint = sha256(upstream.to_json()).hexdigest()
    return TrainingData(rows=0, start=None, end=None, source=url_of(upstream), fingerprint=fingerprint)


def _files(config: ModelConfig, upstream: Upstream, probe: Probe, reference: ReferenceProfile) -> dict[str, bytes]:
    card = (
        f"# {config.model}\n\n{config.description or f'Predicts {config.target} ({config.task}).'}\n\n"
        f"## Remote\n\n- Answered by: {probe.url} ({upstream.protocol}, {upstream.form})\n"
        f"- Asked when it was registered: {len(probe.rows)} rows, {probe.latency_ms} ms\n"
        "- What answers there may change without a new version here.\n"
    )
    return {
        UPSTREAM_FILE: upstream.to_json(),
        REFERENCE_FILE: reference.to_json(),
        CARD_FILE: card.encode(),
    }
