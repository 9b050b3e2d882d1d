"""A version as MLflow knows models: a signature and a manifest, without bytes that could be run."""

import json
from pathlib import Path
from typing import Any

from registry.records.version import ModelVersion

FOLDER = "model"


def write_model(version: ModelVersion, run_id: str, folder: Path) -> None:
    """Write MLmodel and manifest.json into *folder*/model."""
    from mlflow.models import Model

    place = folder / FOLDER
    place.mkdir(parents=True)
    manifest = manifest_of(version)
    model = Model(
        artifact_path=FOLDER,
        run_id=run_id,
        utc_time_created=version.created_at,
        signature=signature_of(version),
        metadata={name: manifest[name] for name in ("semver", "artifact_digest", "serving")},
        model_uuid=version.artifact_digest[:32],
    )
    (place / "MLmodel").write_text(model.to_yaml())
    (place / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def manifest_of(version: ModelVersion) -> dict[str, Any]:
    """Where the bytes lie, and by which digest they are known."""
    return {
        "model": version.model,
        "semver": version.version,
        "artifact": f"bentoml:{version.model}:{version.version}",
        "artifact_digest": version.artifact_digest,
        "serving": version.serving,
        "task": version.task,
        "algorithm": version.algorithm,
    }


def signature_of(version: ModelVersion) -> Any:
    """Inputs and outputs as a `ModelSignature`; any feature may be missing."""
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    kinds = {"numeric": "double", "categorical": "string", "date": "datetime"}
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kinds[feature.kind], feature.name, required=False) for feature in version.features
    ]
    outputs: list[ColSpec | TensorSpec] = [ColSpec("double", name) for name in version.classes or ("score",)]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
