"""Register a fitted pipeline of one's own as a version, after comparing what would be served with it."""

import io
import zipfile
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.data import feature_rows, prepare
from flows.detection.standard import REFERENCE_FILE
from flows.detection.univariate.profile import numeric_profile, profile
from flows.errors import DataError, NotEnoughData
from flows.training.describing import CARD_FILE, features_of
from flows.training.metrics import measure
from flows.training.packing import Packed, pack
from flows.training.provenance import code_version, dependencies, environment
from flows.training.publish import number_for
from registry.errors import ArtifactRefused
from registry.originals import loaded
from registry.records.version import ModelVersion, TrainingData
from registry.store.registry import Registry

_TRUE_CLASSES = ((0, 1), (False, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pipeline that could be registered, and what would be served of it."""

    version: ModelVersion
    packed: Packed
    files: dict[str, bytes]
    rows: int


def propose(
    config: ModelConfig,
    file: Path,
    table: pl.DataFrame,
    registry: Registry,
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> Proposal:
    """
    Fold the pipeline, compare on the holdout, and describe it as a version; nothing is stored.

    Args:
        config: Of the model; its features are the columns that the pipeline was fitted on.
        file: Written by `skops.io.dump`; read only if it is made of trusted types.
        table: The holdout, as read: rows with labels that the pipeline has not learned from.
        registry: Knows the champion and the numbers.
        actor, reason: Who wants it and why.
        at: On the model's clock.

    Raises:
        ArtifactRefused: If the file holds foreign types, or can neither be folded nor stored.
        DataError: If the table or the pipeline does not fit the configuration.
        ParityRefused: If even the stored pipeline says something else than the fitted one.
    """
    raw = _read(file)
    pipeline = loaded(raw)
    order = _order(config, pipeline)
    frame = prepare(_without_extras(config, table), table).filter(pl.col("_label").is_not_null())
    if frame.is_empty():
        raise NotEnoughData(
            "The pipeline was not registered.", f"None of {table.height:,} rows has a label.", "Give a holdout."
        )
    expected = _scores(config, pipeline, frame.select(order))
    rows = feature_rows(config, frame)
    packed = pack(pipeline, config.features, config.task, rows=rows, expected=expected, order=order)
    version = _version(config, pipeline, packed, frame, registry, (actor, reason, at))
    data = TrainingData(rows=0, start=None, end=None, source=file.name, fingerprint=sha256(raw).hexdigest())
    version = msgspec.structs.replace(version, data=data)
    files = {
        **packed.files,
        REFERENCE_FILE: _reference(config, frame, packed),
        CARD_FILE: _card(config, version, frame),
    }
    return Proposal(version=version, packed=packed, files=files, rows=frame.height)


def _without_extras(config: ModelConfig, table: pl.DataFrame) -> ModelConfig:
    """A holdout needs features and labels; KPIs, times and keys may be elsewhere."""
    known = {name: column for name in ("time", "key") if (column := getattr(config.data, name)) in table.columns}
    data = config.data.model_copy(update={"time": None, "key": None, "kpis": {}} | known)
    return config.model_copy(update={"data": data})


def _read(file: Path) -> bytes:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} was not read.", f"{error.strerror or error}.", "Give the path of a file.") from error
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        raise ArtifactRefused(
            f"{file} was not read.",
            "It is no skops file. Pickle and joblib files run code when they are loaded, so they never are.",
            "Write it with `skops.io.dump(pipeline, 'pipeline.skops')`.",
        )
    return raw


def _order(config: ModelConfig, pipeline: Any) -> tuple[str, ...]:
    """Columns as the pipeline was fitted on them; those of the configuration where it does not know names."""
    names = config.features.names
    fitted = tuple(map(str, getattr(pipeline, "feature_names_in_", names)))
    if len(fitted) == len(names) and {*fitted} == {*names}:
        return fitted
    strange = [f"it was fitted on {name!r}, which is no feature" for name in fitted if name not in names]
    strange += [f"it was not fitted on the feature {name!r}" for name in names if name not in fitted]
    raise DataError(
        "The pipeline was not registered.",
        "; ".join(strange) + ".",
        f"Fit it on exactly the features of {config.model}, or change the configuration and run `understudy init`.",
    )


def _scores(config: ModelConfig, pipeline: Any, part: pl.DataFrame) -> NDArray[np.float64]:
    _refuse_task(config, pipeline)
    table = part if hasattr(pipeline, "feature_names_in_") else part.to_numpy()
    try:
        said = pipeline.predict_proba(table)[:, 1] if config.task == "binary" else pipeline.predict(table)
    except Exception as error:  # whatever libraries raise on rows that they do not like
        raise DataError(
            "The pipeline was not registered.",
            f"It cannot score the holdout: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}.",
            "Fit it on columns as they arrive: numbers as float with null for missing, anything else as text.",
        ) from error
    scores = np.asarray(said, dtype=np.float64).reshape(-1)
    if not np.isfinite(scores).all():
        raise DataError(
            "The pipeline was not registered.",
            f"It says {scores[~np.isfinite(scores)][0]} of a row of the holdout.",
            "Add an imputer: callers leave features out.",
        )
    return scores


def _refuse_task(config: ModelConfig, pipeline: Any) -> None:
    classes = tuple(getattr(pipeline, "classes_", ()))
    wrong = ""
    if config.task == "regression" and classes:
        wrong = f"It is a classifier of {len(classes)} classes, but the task of {config.model} is regression."
    elif config.task == "binary" and not hasattr(pipeline, "predict_proba"):
        wrong = f"It has no predict_proba, but the task of {config.model} is binary."
    elif config.task == "binary" and not (classes in _TRUE_CLASSES or _positive_last(config, classes)):
        shown = ", ".join(map(str, classes))
        wrong = f"Its classes are {shown}; expected two, of which the last is the one that counts as 1."
    if wrong:
        raise DataError("The pipeline was not registered.", wrong, "Fit another, or correct task and data.positive.")


def _positive_last(config: ModelConfig, classes: tuple[Any, ...]) -> bool:
    return len(classes) == 2 and config.data.positive is not None and str(classes[1]) == str(config.data.positive)


def _version(
    config: ModelConfig,
    pipeline: Any,
    packed: Packed,
    frame: pl.DataFrame,
    registry: Registry,
    cause: tuple[str, str, datetime],
) -> ModelVersion:
    actor, reason, at = cause
    champion, features = registry.champion(config.model), features_of(config, frame)
    steps = [name for name, _ in getattr(pipeline, "steps", ())]
    return ModelVersion(
        model=config.model,
        version=number_for(features, registry, config),
        task=config.task,
        classes=config.data.classes,
        target=config.target,
        features=features,
        algorithm=type(pipeline.steps[-1][1] if steps else pipeline).__name__,
        params={"steps": steps},
        metrics=measure(config.task, frame["_label"].to_numpy(), packed.parity.scores),
        data=TrainingData(rows=0, start=None, end=None, source="", fingerprint=""),
        artifact_digest="0" * 64,
        parity=packed.parity.largest,
        serving=packed.serving,
        serving_reason=packed.why,
        parent=champion.version if champion else None,
        code_version=code_version(),
        dependencies=dependencies(),
        environment=environment(config),
        created_at=at,
        actor=actor,
        reason=reason,
    )


def _reference(config: ModelConfig, frame: pl.DataFrame, packed: Packed) -> bytes:
    scored = numeric_profile(pl.Series(packed.parity.scores, dtype=pl.Float64))
    return msgspec.structs.replace(profile(frame, config), score=scored).to_json()


def _card(config: ModelConfig, version: ModelVersion, frame: pl.DataFrame) -> bytes:
    metrics = "\n".join(f"| {name} | {value:.4f} |" for name, value in version.metrics.items())
    text = (
        f"# {config.model}\n\n{config.description or f'Predicts {config.target} ({config.task}).'}\n\n"
        f"## Published\n\n- Fitted elsewhere: {version.algorithm}, from {version.data.source} "
        f"(sha256 `{version.data.fingerprint}`)\n- What it has learned from is not known here.\n"
        f"- Served by: {version.serving}. {version.serving_reason}\n"
        f"- Largest difference between what is served and what was fitted: {version.parity:.1e}\n\n"
        f"## Holdout\n\n{frame.height} rows, as given by who published it.\n\n| metric | this |\n|---|---|\n{metrics}\n"
    )
    return text.encode()
