"""Load a version into a router of its own, ask it, and say whether it may leave staging."""

from collections.abc import Mapping

from flows.config.model import ModelConfig
from flows.validation.holdout import HeldOut
from flows.validation.report import ValidationReport
from registry.home import Settings
from registry.records.version import ModelVersion


def validate(
    config: ModelConfig, settings: Settings, version: ModelVersion, files: Mapping[str, bytes], holdout: HeldOut
) -> ValidationReport:
    """
    Serve *files* by a real router process of its own, and look whether they may answer callers.

    Neither the registry nor the router in use is touched; the version need not be registered. Whatever the
    version does is a failed check with its reason. No process and no file is left behind.

    Args:
        config: Names budgets, slices and tests; the section `validation`.
        settings: The scratch folder is made in its `run_dir`.
        version: As it would be registered; its digest is not looked at.
        files: Of its artifact.
        holdout: Rows to ask about; at least one.

    Raises:
        ValidationUnavailable: If not even an empty router starts here; the version was not judged.
        DataError: If there is no row.
    """
    raise NotImplementedError
