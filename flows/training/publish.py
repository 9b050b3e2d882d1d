"""Store the files of a candidate and register it in staging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import Any, Protocol

import msgspec

from flows.config.model import ModelConfig
from flows.training.candidate import Candidate
from registry.artifacts import ArtifactStore
from registry.records.version import Feature, ModelVersion, Task, next_version
from registry.store.registry import Registry

LIBRARIES = ("xgboost", "scikit-learn", "numpy", "numba", "polars", "optuna", "skops")


class Proposed(Protocol):
    """A version that may be registered, with its files."""

    @property
    def version(self) -> ModelVersion:
        """As it would be; the digest of its files is filled in."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """Of the artifact."""


def register(proposal: Proposed, registry: Registry, artifacts: ArtifactStore) -> ModelVersion:
    """
    Keep the artifact, then register the version in staging.

    Raises:
        AlreadyExists: If the number was taken meanwhile.
    """
    made = proposal.version
    digest = artifacts.save(made.model, made.version, proposal.files)
    made = msgspec.structs.replace(made, artifact_digest=digest)
    registry.register_version(made)
    return made


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trained version that may be registered."""

    version: ModelVersion
    files: Mapping[str, bytes]


def publish(
    candidate: Candidate,
    registry: Registry,
    artifacts: ArtifactStore,
    *,
    config: ModelConfig,
    version: str | None = None,
    actor: str,
    reason: str,
    at: datetime,
) -> ModelVersion:
    """
    Save the artifact, then register the version in staging.

    Killed in between, it leaves an artifact that no version names; the next number is
    free again, and the same candidate may be published again.

    Args:
        candidate: What was trained.
        registry: Knows the versions.
        artifacts: Keeps the bytes.
        config: The configuration it was trained with.
        version: Its number; the next free one if absent.
        actor: Who asked for it.
        reason: Why.
        at: On the model's clock.

    Raises:
        AlreadyExists: If the number is taken.
        ArtifactRefused: If other bytes lie there under this number.
    """
    number = version or next_number(candidate, registry, config)
    made = propose(candidate, config=config, version=number, actor=actor, reason=reason, at=at)
    return register(made, registry, artifacts)


def propose(
    candidate: Candidate, *, config: ModelConfig, version: str, actor: str, reason: str, at: datetime, **more: Any
) -> Proposal:
    """
    Describe the version that *candidate* would become; the digest of its files is filled in by `register`.

    Args:
        candidate: What was trained.
        config: The configuration it was trained with.
        version: Its number.
        actor: Who asked for it.
        reason: Why.
        at: On the model's clock.
        more: Further fields of the version, e.g. trigger, validation.
    """
    made = ModelVersion(
        model=config.model,
        version=version,
        task=candidate.task,
        target=config.target,
        features=candidate.features,
        algorithm=candidate.algorithm,
        params=candidate.params,
        metrics=candidate.metrics,
        baseline_metrics=candidate.baseline_metrics,
        data=candidate.data,
        artifact_digest="0" * 64,
        parity=candidate.parity,
        serving=candidate.serving,
        serving_reason=candidate.serving_reason,
        parent=candidate.parent,
        code_version=installed("understudy"),
        dependencies={name: installed(name) for name in LIBRARIES},
        warnings=candidate.warnings,
        seed=candidate.seed,
        duration_s=candidate.duration_s,
        created_at=at,
        actor=actor,
        reason=reason,
        **more,
    )
    return Proposal(made, candidate.files)


def next_number(candidate: Candidate, registry: Registry, config: ModelConfig) -> str:
    """Number what was trained; see `number_for`."""
    return number_for(candidate.features, registry, config)


def number_for(features: Sequence[Feature], registry: Registry, config: ModelConfig) -> str:
    """MAJOR grows when callers must send something else, or get something else; MINOR otherwise."""
    known = registry.versions(config.model)
    promise = _contract(config.task, config.target, features)
    same = not known or _contract(known[0].task, known[0].target, known[0].features) == promise
    return next_version([version.version for version in known], "minor" if same else "major")


def _contract(task: Task, target: str, features: Sequence[Feature]) -> tuple[object, ...]:
    return task, target, {(feature.name, feature.kind) for feature in features}


def installed(name: str) -> str:
    """Version of a package; empty if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
