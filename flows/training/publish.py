"""Store the files of a candidate and register it in staging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from flows.config.model import ModelConfig
from flows.tracking.entries import version_run
from flows.training.describing import Candidate
from flows.training.provenance import code_version, config_digest, dependencies, environment
from registry.artifacts import ArtifactStore
from registry.records.version import Feature, ModelVersion, Task, next_version
from registry.store.registry import Registry


class Proposed(Protocol):
    """A version that may be registered, with its files."""

    @property
    def version(self) -> ModelVersion:
        """As it would be; the digest of its files is filled in."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """Of the artifact."""


def register(
    proposal: Proposed, registry: Registry, artifacts: ArtifactStore, *, tracked: bool = False
) -> ModelVersion:
    """
    Keep the artifact, then register the version in staging.

    Args:
        proposal: What would be registered.
        registry: Knows the versions.
        artifacts: Keeps the bytes.
        tracked: Whether a run in MLflow will tell of it; the version names that run.

    Raises:
        AlreadyExists: If the number was taken meanwhile.
    """
    made = proposal.version
    digest = artifacts.save(made.model, made.version, proposal.files)
    run = version_run(made.model, made.version, digest) if tracked else made.experiment
    made = msgspec.structs.replace(made, artifact_digest=digest, experiment=run)
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
        classes=config.data.classes,
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
        threshold=candidate.threshold,
        calibration=candidate.calibration,
        parent=candidate.parent,
        code_version=code_version(),
        dependencies=dependencies(),
        environment=environment(config),
        config_digest=config_digest(config),
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
    """
    Number what was trained.

    MAJOR grows when callers must send something else, or get something else; PATCH when the newest version was made of
    the same rows by the same configuration, so that only code or libraries were mended; MINOR otherwise.
    """
    known = registry.versions(config.model)
    if known and _is_repeated(candidate, known[0], config):
        return next_version([version.version for version in known], "patch")
    return number_for(candidate.features, registry, config)


def number_for(features: Sequence[Feature], registry: Registry, config: ModelConfig) -> str:
    """MAJOR grows when callers must send something else, or get something else; MINOR otherwise."""
    known = registry.versions(config.model)
    promise = _contract(config.task, config.target, features, config.data.classes)
    newest = known[0] if known else None
    same = newest is None or _contract(newest.task, newest.target, newest.features, newest.classes) == promise
    return next_version([version.version for version in known], "minor" if same else "major")


def _is_repeated(candidate: Candidate, newest: ModelVersion, config: ModelConfig) -> bool:
    made_of = candidate.data.fingerprint, config_digest(config)
    return made_of == (newest.data.fingerprint, newest.config_digest)


def _contract(task: Task, target: str, features: Sequence[Feature], classes: Sequence[str]) -> tuple[object, ...]:
    return task, target, {(feature.name, feature.kind) for feature in features}, tuple(classes)
