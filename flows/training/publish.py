"""Store the files of a candidate and register it in staging."""

from datetime import datetime
from importlib import metadata

from flows.config.model import ModelConfig
from flows.training.candidate import Candidate
from registry.artifacts import ArtifactStore
from registry.records.version import ModelVersion, next_version
from registry.store.registry import Registry

LIBRARIES = ("xgboost", "scikit-learn", "numpy", "numba", "polars", "optuna", "skops")


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
    digest = artifacts.save(config.model, number, candidate.files)
    made = ModelVersion(
        model=config.model,
        version=number,
        task=candidate.task,
        target=config.target,
        features=candidate.features,
        algorithm=candidate.algorithm,
        params=candidate.params,
        metrics=candidate.metrics,
        baseline_metrics=candidate.baseline_metrics,
        data=candidate.data,
        artifact_digest=digest,
        parity=candidate.parity,
        serving=candidate.serving,
        serving_reason=candidate.serving_reason,
        parent=candidate.parent,
        code_version=_installed("understudy"),
        dependencies={name: _installed(name) for name in LIBRARIES},
        seed=candidate.seed,
        duration_s=candidate.duration_s,
        created_at=at,
        actor=actor,
        reason=reason,
    )
    registry.register_version(made)
    return made


def next_number(candidate: Candidate, registry: Registry, config: ModelConfig) -> str:
    """MAJOR grows when callers must send something else, or get something else; MINOR otherwise."""
    known = registry.versions(config.model)
    same = not known or _contract(known[0]) == _promise(candidate, config)
    return next_version([version.version for version in known], "minor" if same else "major")


def _contract(version: ModelVersion) -> tuple[object, ...]:
    return version.task, version.target, {(feature.name, feature.kind) for feature in version.features}


def _promise(candidate: Candidate, config: ModelConfig) -> tuple[object, ...]:
    return candidate.task, config.target, {(feature.name, feature.kind) for feature in candidate.features}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
