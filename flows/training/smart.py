"""When to retrain, from what registry and configuration know; what was decided is kept."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import msgspec
from prefect import get_run_logger, runtime

from flows.client.booking import Appointment, book
from flows.client.clock import lives_in_another_time
from flows.detection.fusion.harm import recoverable
from flows.detection.pacing import PaceInForce, pace_in_force
from flows.training import events
from flows.training.retraining import Asked
from flows.training.shop import Shop
from flows.training.timing import Situation, When, decide_when
from registry.records.retraining import RetrainingEvent
from registry.store.registry import Registry

DEPLOYMENT = "retrain/retrain-on-demand"
PUT_OFF = "put-off"
TAKEN_UP = "taken-up"
"""Tag of a run that goes on after a crash."""
_FORTNIGHT = timedelta(days=14)
_ANOTHER = "another retraining of the model waits already, and begins no later"
_REMEMBERED = 5  # retrainings whose processor time says what the next one takes


def kept_waiting(shop: Shop, asked: Asked, *, rebuild: bool, everybody: bool, now: datetime) -> dict[str, Any] | None:
    """
    Put a retraining off, or leave it out, where that is wiser; None if it begins now.

    Only runs of a deployment, of models that live by the wall clock, are put off.

    Args:
        shop: Of the model.
        asked: What is asked for.
        rebuild: Whether it is the monthly full rebuild.
        everybody: Whether every model is retrained, not this one by name.
        now: On the wall clock.
    """
    if runtime.deployment.id is None or lives_in_another_time(shop.settings, shop.model):
        return None
    if everybody and asked.trigger == "schedule":
        others = left_to_another(pace_in_force(shop.registry, shop.config, now), rebuild=rebuild)
        if others:
            get_run_logger().info("%s: %s", shop.model, others)
            return _answer(None, When(kind="not_due", said=others), f"Nothing was trained: {others}.")
    waited = any(tag.startswith((PUT_OFF, TAKEN_UP)) for tag in runtime.flow_run.tags)
    when = decide_when(situation(shop, asked, rebuild=rebuild, waited=waited, now=now), shop.config.schedule)
    if when.kind == "now":
        return None
    get_run_logger().info("%s: %s", shop.model, when.said)
    if when.kind == "not_due":
        return _answer(asked.event_id, when, f"Nothing was trained: {when.said}.")
    return _put_off(shop, asked, when, now, rebuild=rebuild) if when.kind == "later" else _left_out(shop, asked, when)


def left_to_another(pace: PaceInForce, *, rebuild: bool) -> str:
    """Say which other schedule retrains a model of this pace, or nothing."""
    monthly = pace.retrain_every > _FORTNIGHT
    if pace.own and monthly == rebuild:
        return "a schedule of its own retrains it"
    return "" if rebuild or not monthly else "its pace is monthly: it is rebuilt on the first Sunday of the month"


def situation(shop: Shop, asked: Asked, *, rebuild: bool, waited: bool, now: datetime) -> Situation:
    """Gather what is known."""
    registry, model = shop.registry, shop.model
    event = registry.retraining_event(asked.event_id) if asked.event_id else None
    past = registry.retraining_events(model)
    made = [one.completed_at for one in past if one.execution_successful and one.completed_at is not None]
    return Situation(
        now=now,
        trigger=event.trigger_type if event else asked.trigger,
        severity=event.severity if event else "LOW",
        last=max(made, default=None),
        every=pace_in_force(registry, shop.config, now).retrain_every,
        rebuild=rebuild,
        waited=waited,
        gain=expected_gain(registry, model),
        expected_s=_usual([spent for one in past if (spent := _spent(one)) is not None]),
        spent=tuple((one.completed_at or one.triggered_at, _spent(one) or 0.0) for one in past if _spent(one)),
    )


class _Decision(msgspec.Struct, frozen=True):
    harm: float | None = None


class _Report(msgspec.Struct, frozen=True):
    decision: _Decision = _Decision()


def expected_gain(registry: Registry, model: str) -> float | None:
    """Percent of the present loss that a refit would win back, as the last look estimated; None if nothing is known."""
    for report in registry.drift_reports(model, limit=1):
        try:
            harm = msgspec.convert(report, _Report).decision.harm
        except msgspec.ValidationError:
            return None
        return None if harm is None or math.isnan(harm) else 100 * recoverable(harm)
    return None


def _spent(event: RetrainingEvent) -> float | None:
    spent = event.execution_metrics.get("cpu_s")
    return float(spent) if isinstance(spent, int | float) else None


def _usual(spent: list[float]) -> float | None:
    """Mean of the newest; the log is newest first."""
    return fmean(spent[:_REMEMBERED]) if spent else None


def _put_off(shop: Shop, asked: Asked, when: When, now: datetime, *, rebuild: bool) -> dict[str, Any]:
    """Book the run, with the event that it belongs to."""
    assert when.at is not None
    event = _event(shop, asked, now)
    parameters = {
        "model": shop.model,
        "event_id": event.id,
        "trigger": event.trigger_type,
        "reason": asked.reason,
        "actor": asked.actor,
        "full": rebuild,
    }
    if not book(Appointment(DEPLOYMENT, f"{PUT_OFF}:{shop.model}", parameters, when.at), when.said):
        return _left_out(shop, asked._replace(event_id=event.id), replace(when, said=_ANOTHER))
    said = f"Put off until {when.at:%Y-%m-%d %H:%M} UTC: {when.said}."
    events.noted(shop.registry, event, said, when.figures)
    _keep(shop, event, when, said, now, "retraining.put_off")
    return _answer(event.id, when, said)


def _left_out(shop: Shop, asked: Asked, when: When) -> dict[str, Any]:
    now, said = shop.clock(), f"Nothing was trained: {when.said}."
    event = events.noted(shop.registry, _event(shop, asked, now), said, when.figures)
    events.refused(shop.registry, event, said, now)
    _keep(shop, event, when, said, now, "retraining.left_out")
    return _answer(event.id, when, said)


def _event(shop: Shop, asked: Asked, now: datetime) -> RetrainingEvent:
    return events.open_event(
        shop.registry,
        shop.model,
        event_id=asked.event_id,
        trigger=asked.trigger,
        reason=asked.reason,
        actor=asked.actor,
        at=now,
    )


def _keep(shop: Shop, event: RetrainingEvent, when: When, said: str, now: datetime, action: str) -> None:
    shop.registry.record(
        actor="understudy",
        action=action,
        model=shop.model,
        subject=event.id,
        reason=said,
        at=now,
        before={"trigger": event.trigger_type, "severity": event.severity},
        after={"kind": when.kind, **when.figures},
    )
    shop.announce(f"understudy.{action}", {"model": shop.model, "event_id": event.id, "said": said, **when.figures})


def _answer(event_id: str | None, when: When, said: str) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "outcome": when.kind,
        "said": said,
        "begins": f"{when.at:%Y-%m-%dT%H:%M:%SZ}" if when.at else None,
        "figures": when.figures,
    }
