"""Whether a version has been validated: by its record, or by a later entry of the audit trail."""

from datetime import datetime

from flows.config.model import ModelConfig
from flows.validation.errors import NotValidated
from flows.validation.report import ValidationReport
from registry.records.version import ModelVersion
from registry.store.registry import Registry

ACTION = "version.validated"


def passed(registry: Registry, version: ModelVersion) -> bool | None:
    """Whether it passed its newest validation, as far as that was about its files; None if there was none."""
    for entry in registry.audit(version.model, action=ACTION):
        if entry.subject == version.version and entry.after.get("artifact") == version.artifact_digest:
            return bool(entry.after["passed"])
    return bool(version.validation["passed"]) if version.validation else None


def refuse_unvalidated(config: ModelConfig, registry: Registry, version: ModelVersion, what: str) -> None:
    """
    Let nothing leave staging that has not shown what it must; nothing is asked if `validation.enabled` is false.

    Args:
        config: Of the model.
        registry: Knows what it has shown.
        version: As registered.
        what: What is not done otherwise, e.g. "No rollout of v1.2.0 was begun."

    Raises:
        NotValidated: If it failed, or was never validated.
    """
    if not config.validation.enabled or passed(registry, version):
        return
    why = "It was never validated in a router of its own."
    if passed(registry, version) is False:
        why = f"It failed its validation: {reason_of(registry, version)}"
    raise NotValidated(what, why, f"See `understudy models validate {version.model} {version.version}`.")


def reason_of(registry: Registry, version: ModelVersion) -> str:
    """Why its newest validation failed."""
    entry = next((e for e in registry.audit(version.model, action=ACTION) if e.subject == version.version), None)
    if entry is not None:
        return entry.reason
    return "; ".join(f"{one['name']}: {one['said']}" for one in version.validation["checks"] if not one["passed"])


def record(registry: Registry, version: ModelVersion, report: ValidationReport, *, actor: str, at: datetime) -> None:
    """
    Keep what a registered version has shown; one that failed in staging is rejected.

    One that was rejected because it had failed, and passes now, is back in staging.
    """
    before = passed(registry, version)
    registry.record(
        actor=actor,
        action=ACTION,
        model=version.model,
        subject=version.version,
        reason=report.said,
        at=at,
        before={"passed": before},
        after=report.to_dict() | {"artifact": version.artifact_digest},
    )
    if version.stage == "staging" and not report.passed:
        registry.set_stage(version.model, version.version, "rejected", actor=actor, reason=report.said, at=at)
    if version.stage == "rejected" and before is False and report.passed:
        registry.set_stage(version.model, version.version, "staging", actor=actor, reason=report.said, at=at)
