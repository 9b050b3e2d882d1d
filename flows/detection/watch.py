"""One look at one model: read, measure, decide, keep; no framework in here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from flows.data.live import live_frame
from flows.detection.drift import drift
from flows.detection.fusion.decision import RetrainDecision, decide
from flows.detection.fusion.mapping import evidence_of
from flows.detection.judging.report import DriftReport
from flows.detection.signals import BACK, age_metrics, drift_metrics, error_metrics, kpi_metrics
from flows.detection.univariate.profile import ReferenceProfile
from registry.errors import NotFound
from registry.records.base import Record
from registry.records.retraining import RetrainingEvent, TriggerType
from registry.records.version import ModelVersion
from registry.store.registry import Registry

LONGEST_RETRAINING = timedelta(hours=2)
ReadReference = Callable[[ModelVersion], ReferenceProfile]


class Look(Record, frozen=True, kw_only=True):
    """
    What one look found and did.

    Attributes:
        event_id: Retraining event that was raised, if any.
        held_back: Why a triggered decision raised none.
    """

    model: str
    at: datetime
    champion: str
    decision: RetrainDecision
    drift: DriftReport
    event_id: str | None = None
    held_back: str | None = None


def watch(
    config: ModelConfig,
    registry: Registry,
    client: RouterClient,
    read_reference: ReadReference,
    now: datetime,
) -> Look:
    """
    Look at the newest rows; raise a retraining event if a rule says so and nothing speaks against it.

    Raises:
        NotFound: If the model has no champion.
        Unreachable: If the router does not answer.
    """
    champion = registry.champion(config.model)
    if champion is None:
        raise NotFound(f"{config.model} was not looked at.", "It has no champion.", "Train one: `understudy train`.")
    look = measure(config, registry, client, champion, read_reference(champion), now)
    registry.save_drift_report(config.model, now, _summary(look))
    if not look.decision.triggered:
        return look
    newest = next(iter(registry.retraining_events(config.model, limit=1)), None)
    obstacle = _obstacle(config, registry, newest, now)
    if obstacle is not None:
        return msgspec.structs.replace(look, held_back=obstacle)
    lost = newest is not None and newest.completed_at is None
    return msgspec.structs.replace(look, event_id=newest.id if newest and lost else _raise_event(registry, look))


def measure(
    config: ModelConfig,
    registry: Registry,
    client: RouterClient,
    champion: ModelVersion,
    reference: ReferenceProfile,
    now: datetime,
) -> Look:
    """Measure and decide; nothing is stored."""
    limits = config.detection
    rows = live_frame(client, config, newest=max(limits.window, (BACK + 1) * limits.error_window))
    labelled = rows.filter(pl.col("_label").is_not_null())
    if labelled.height < (BACK + 1) * limits.error_window:
        labelled = live_frame(client, config, labelled=True, newest=(BACK + 1) * limits.error_window)
    report = drift(reference, rows.tail(limits.window), config)
    metrics = {
        **drift_metrics(report),
        **error_metrics(config, labelled, champion),
        **age_metrics(champion, _new_rows(config, registry, client, champion), now),
        **kpi_metrics(config, labelled),
    }
    return Look(
        model=config.model,
        at=now,
        champion=champion.version,
        decision=decide(config, evidence_of(metrics, report)),
        drift=report,
    )


def _new_rows(config: ModelConfig, registry: Registry, client: RouterClient, champion: ModelVersion) -> int:
    """Labelled rows since anybody last tried to learn from them."""
    moments = [champion.data.end or datetime.fromtimestamp(0, UTC)]
    moments += [event.triggered_at for event in registry.retraining_events(config.model, limit=1)]
    raw = client.rows_raw(config.model, labelled=True, since=max(moments).timestamp())
    return raw.count(b"\n")


def _obstacle(config: ModelConfig, registry: Registry, newest: RetrainingEvent | None, now: datetime) -> str | None:
    """Why a retraining must wait, or None."""
    rollout = registry.active_rollout(config.model)
    if rollout is not None:
        return f"rollout {rollout.id} of {rollout.challenger} is {rollout.status}"
    if newest is None:
        return None
    since = now - newest.triggered_at
    if newest.completed_at is None:
        # Longer than any retraining may take: whoever had it was killed, so it is asked for again.
        return f"{newest.id} has not ended yet" if since < LONGEST_RETRAINING else None
    if since < config.detection.cooldown:
        return f"{newest.id} is younger than the cool-down"
    return None


def _raise_event(registry: Registry, look: Look) -> str:
    decision = look.decision
    trigger: TriggerType = msgspec.convert(decision.trigger, TriggerType)
    event = RetrainingEvent(
        id=registry.next_event_id(look.at),
        model=look.model,
        trigger_type=trigger,
        severity=decision.severity,
        drift_type=decision.drift_type,
        trigger_reason="; ".join(decision.causes),
        trigger_metrics=decision.evidence,
        triggered_at=look.at,
    )
    registry.add_retraining_event(event)
    return event.id


def _summary(look: Look) -> dict[str, object]:
    plain = look.to_dict()
    plain.pop("at")
    return plain
