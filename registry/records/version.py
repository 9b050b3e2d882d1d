"""A model version: everything needed to serve it, judge it and make it again."""

import re
from datetime import datetime
from math import isfinite
from typing import Any, Literal

from registry.errors import InvalidRecord
from registry.records.base import VERSION, Record, name_mistakes, version_mistakes

Task = Literal["binary", "multiclass", "regression"]
Serving = Literal["compiled", "native", "original"]
Stage = Literal["staging", "shadow", "canary", "production", "archived", "rejected"]


class Feature(Record, frozen=True, kw_only=True):
    """
    What a caller may send for one feature.

    Attributes:
        levels: Known levels of a categorical; others are served as unknown.
        low, high: Range seen in training, for drift reports; not enforced. Epoch seconds of a date.
    """

    name: str
    kind: Literal["numeric", "categorical", "date"]
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


class TrainingData(Record, frozen=True, kw_only=True):
    """
    Which rows a version was made from.

    Attributes:
        fingerprint: Hash of the rows; the same rows give the same one.
        version: Of the source, as it names it: that of a Delta table, or a hash of a file.
        new_rows: Rows that the champion had not learned from.
    """

    rows: int
    start: datetime | None
    end: datetime | None
    source: str
    fingerprint: str
    version: str = ""
    new_rows: int = 0


class ModelVersion(Record, frozen=True, kw_only=True):
    """
    One immutable version; only its stage ever changes, and its artifact may be deleted by retention.

    Attributes:
        metrics: On the most recent holdout, e.g. {"auc": .81, "loss": .12}.
        baseline_metrics: The champion's metrics on the same holdout rows.
        artifact_digest: Sha256 over the manifest of the artifact's files.
        parity: Largest absolute difference between scorer and fitted pipeline.
        serving: How it is scored: by machine code, a native library, or the fitted pipeline itself.
        serving_reason: Why it is not compiled; empty if it is.
        parent: Version in production when this one was trained.
        classes: Values of the target in the order of their probabilities, if the task is multiclass.
        threshold: A binary score at or above it predicts 1.
        calibration: How probabilities were corrected; empty if they were not.
        environment: Where it was trained, e.g. {"python": "3.11.7", "machine": "x86_64"}.
        experiment: Id of the run that tracks it; empty if none does.
        trigger: What asked for it, e.g. the retraining event.
        warnings: What people should know of its data, e.g. a feature that nearly tells the answer.
        validation: What it has shown in a router of its own; empty if it was not asked.
        config_digest: Sha256 of what the configuration says about data and training; empty if it was made otherwise.
        artifact_deleted_at: When retention has deleted its bytes; None while they are kept.
    """

    model: str
    version: str
    stage: Stage = "staging"
    task: Task
    target: str
    features: tuple[Feature, ...]
    algorithm: str
    params: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    baseline_metrics: dict[str, float] = {}
    data: TrainingData
    artifact_digest: str
    parity: float
    serving: Serving = "native"
    serving_reason: str = ""
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    calibration: str = ""
    parent: str | None = None
    code_version: str = ""
    dependencies: dict[str, str] = {}
    environment: dict[str, str] = {}
    experiment: str = ""
    trigger: str = ""
    warnings: tuple[str, ...] = ()
    validation: dict[str, Any] = {}
    seed: int = 0
    duration_s: float = 0.0
    config_digest: str = ""
    artifact_deleted_at: datetime | None = None
    created_at: datetime
    actor: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse a version that could not be served."""
        mistakes = [*name_mistakes("Model", self.model), *version_mistakes("Version", self.version)]
        names = [f.name for f in self.features]
        if not names:
            mistakes.append("it has no features")
        mistakes += [f"feature {n!r} is listed twice" for n in sorted({n for n in names if names.count(n) > 1})]
        if self.target in names:
            mistakes.append(f"target {self.target!r} is also a feature")
        mistakes += _class_mistakes(self.task, self.classes)
        for which, metrics in (("metric", self.metrics), ("baseline metric", self.baseline_metrics)):
            mistakes += [f"{which} {n} is {v}" for n, v in metrics.items() if not isfinite(v)]
        if not isfinite(self.parity):
            mistakes.append(f"parity is {self.parity}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.artifact_digest):
            mistakes.append(f"artifact digest {self.artifact_digest!r} is not a sha256")
        if mistakes:
            raise InvalidRecord.of("The model version", mistakes, "Correct the training configuration and train again.")


def _class_mistakes(task: Task, classes: tuple[str, ...]) -> list[str]:
    if task != "multiclass":
        return [f"task is {task}, but it has classes"] if classes else []
    few = [] if len(classes) > 2 else [f"task is multiclass, but it has {len(classes)} of at least 3 classes"]
    return few + [f"class {name!r} is listed twice" for name in sorted({c for c in classes if classes.count(c) > 1})]


def version_key(version: str) -> tuple[int, int, int]:
    """Order versions as numbers: v1.10.0 comes after v1.9.0."""
    match = VERSION.fullmatch(version)
    if match is None:
        raise InvalidRecord.of("The version", version_mistakes("Version", version), "Write it as v1.2.3.")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def next_version(versions: list[str], change: Literal["major", "minor", "patch"] = "minor") -> str:
    """
    Name the version after the newest of *versions*.

    MAJOR: feature schema or task changed; MINOR: retrained; PATCH: same data, fix.
    """
    major, minor, patch = max(map(version_key, versions), default=(0, 0, 0))
    if change == "major" or not versions:
        return f"v{major + 1}.0.0"
    return f"v{major}.{minor + 1}.0" if change == "minor" else f"v{major}.{minor}.{patch + 1}"
