"""Gather what the checklist rests on."""

import contextlib

import httpx

from flows.config.load import registered_config
from flows.data.gather import quarantine_file
from flows.rollout.gate.checklist import Facts, Point, checklist
from flows.validation.evidence import ACTION, passed
from registry.errors import NotFound
from registry.home import Settings
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import ModelVersion
from registry.store.registry import Registry

MONITOR = "monitor/monitor-every-6-hours"
_PATIENCE_S = 1.0


def points(settings: Settings, registry: Registry, rollout: Rollout) -> tuple[Point, ...]:
    """The checklist of 11 points of *rollout*, as of now."""
    return checklist(collect(settings, registry, rollout))


def collect(settings: Settings, registry: Registry, rollout: Rollout) -> Facts:
    """
    Read everything that the checklist asks.

    Args:
        settings: Where configuration, quarantine and the Prefect server are.
        registry: Knows versions, decisions and what was validated.
        rollout: Whose challenger is judged.
    """
    version, config = registry.version(rollout.model, rollout.challenger), registered_config(rollout.model, settings)
    return Facts(
        rollout=rollout,
        version=version,
        state=registry.gate(rollout.id),
        decision=shown_decision(registry, rollout),
        checks=_checks(registry, version),
        validated=passed(registry, version),
        quarantined=_quarantined(settings, version),
        contract=config.data.contract,
        addresses=len(config.notify.urls),
        monitor=_monitors(settings),
    )


def shown_decision(registry: Registry, rollout: Rollout) -> Decision | None:
    """What people read before they sign; None where there is none, or it could not be kept."""
    if rollout.decision_id is None:
        return None
    with contextlib.suppress(NotFound):
        return registry.decision(rollout.decision_id)
    return None


def _checks(registry: Registry, version: ModelVersion) -> tuple[int, int] | None:
    """How many checks of the newest validation passed, of how many."""
    entries = registry.audit(version.model, action=ACTION)
    mine = (
        e.after for e in entries if (e.subject, e.after.get("artifact")) == (version.version, version.artifact_digest)
    )
    report = next(mine, version.validation)
    checks = report.get("checks", ())
    return (sum(bool(one["passed"]) for one in checks), len(checks)) if checks else None


def _quarantined(settings: Settings, version: ModelVersion) -> int | None:
    """Rows set aside by the retraining that made it; None if no retraining did."""
    if not version.trigger.startswith("retrain_"):
        return None
    file = quarantine_file(settings, version.model, version.trigger)
    if not file.exists():
        return 0
    import polars as pl

    return int(pl.scan_parquet(file).select(pl.len()).collect().item())


def _monitors(settings: Settings) -> bool | None:
    """Whether the deployment that looks for drift is on; None if the Prefect server does not say."""
    try:
        answer = httpx.get(
            f"{settings.prefect_api_url}/deployments/name/{MONITOR}", timeout=_PATIENCE_S, trust_env=False
        )
        found = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    if answer.status_code == 404:
        return False
    if answer.status_code != 200:
        return None
    return not found.get("paused") and any(one.get("active") for one in found.get("schedules", ()))
