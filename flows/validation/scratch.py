"""A state folder for one validation: a registry of its own, with a trivial version and the one that is judged."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from flows.validation.errors import ValidationUnavailable
from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, InvalidRecord, RegistryError
from registry.home import Settings
from registry.records.plan import Guards
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from registry.store.registry import Registry

PREFIX = "validation-"
_ACTOR, _REASON = "validation", "to be validated"
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextlib.contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """
    Make an empty folder that is removed at the end; what killed processes left behind is removed, too.

    Raises:
        ValidationUnavailable: If it cannot be written.
    """
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        _sweep(settings.run_dir)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=settings.run_dir))
    except OSError as error:
        raise ValidationUnavailable(
            "Nothing was validated: a router of its own needs a folder.",
            f"{settings.run_dir}: {error.strerror or error}.",
            "Free some space, or set UNDERSTUDY_HOME to a folder that you may write to.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    import psutil

    for folder in parent.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


class Stage:
    """
    The registry and the artifacts that the router of a validation reads.

    Attributes:
        empty: Name of the model whose only version is trivial.
        digest: Of the files that are judged; empty before `set_version`.

    Args:
        settings: Of the scratch folder.
        version: The one that is judged.
    """

    def __init__(self, settings: Settings, version: ModelVersion) -> None:
        self._settings, self._version = settings, version
        self.digest = ""
        self.empty = "baseline" if version.model != "baseline" else "baseline-2"

    def set_baseline(self) -> None:
        """Let the router serve a version that is as small as can be: what it takes is the router's own."""
        spec = ScorerSpec(
            task="regression", kind="linear", columns=(NumericColumn(feature="x", fill=0.0),), coefficients=(1.0,)
        )
        version = ModelVersion(
            model=self.empty,
            version="v1.0.0",
            task="regression",
            target="y",
            features=(Feature(name="x", kind="numeric"),),
            algorithm="linear",
            data=TrainingData(rows=0, start=None, end=None, source="none", fingerprint="0"),
            artifact_digest="0" * 64,
            parity=0.0,
            created_at=_AT,
            actor=_ACTOR,
            reason=_REASON,
        )
        self._install(version, scorer_files(spec, None))

    def set_version(self, files: Mapping[str, bytes]) -> None:
        """
        Let the router serve the version; it notices within a tenth of a second.

        Raises:
            InvalidRecord, ArtifactRefused: If its record or its files cannot be right.
            ValidationUnavailable: If they cannot be kept, e.g. on a full disk: that is no fault of the version.
        """
        try:
            self.digest = self._install(msgspec.structs.replace(self._version, stage="staging", parent=None), files)
        except (InvalidRecord, ArtifactRefused):
            raise
        except RegistryError as error:
            raise ValidationUnavailable("Nothing was validated.", f"{error.what} {error.why}", error.mend) from error

    def _install(self, version: ModelVersion, files: Mapping[str, bytes]) -> str:
        digest = ArtifactStore(self._settings.models_dir).save(version.model, version.version, files)
        with Registry.open(self._settings.registry_url) as registry:
            registry.register_version(msgspec.structs.replace(version, artifact_digest=digest))
            registry.install_first(
                version.model,
                version.version,
                guards=Guards(),
                salt=f"{version.model}.first",
                actor=_ACTOR,
                reason=_REASON,
                at=_AT,
            )
        return digest
