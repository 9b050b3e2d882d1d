"""One look at one model: read, measure, decide, keep; no framework in here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from flows.detection.fusion.hysteresis import Former, held
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.look import Look
from flows.detection.measuring import FOLLOWED, Seen, looked
from flows.detection.showing.look import look_content
from flows.detection.showing.words import headline
from flows.detection.signals import BACK
from flows.detection.sources import TABLE, LiveRows, Source, TableRows
from flows.detection.standard import Kept
from flows.reports.drift.content import DriftContent
from registry.errors import NotFound
from registry.records.history import PastLook
from registry.records.retraining import RetrainingEvent, TriggerType
from registry.records.version import ModelVersion
from registry.store.registry import Registry

LONGEST_RETRAINING = timedelta(hours=2)
REMEMBERED = 50
"""Earlier looks that a decision takes into account."""


NEAR = 2_000
"""Newest labelled rows; more are read only if the champion answered some of the oldest quarter of them."""
ASKED_BY_PEOPLE: frozenset[TriggerType] = frozenset({"manual", "emergency", "initial"})
ReadKept = Callable[[ModelVersion], Kept]
Wake = Callable[[Look], None]


class Watched(NamedTuple):
    """A look, and what a report shows of it."""

    look: Look
    content: DriftContent


def nobody(_: Look) -> None:
    """Wake nobody."""


def watch(
    config: ModelConfig,
    registry: Registry,
    rows: RouterClient | Source,
    read_kept: ReadKept,
    now: datetime,
    wake: Wake = nobody,
) -> Watched:
    """
    Look at the newest rows; raise a retraining event if a rule says so and nothing speaks against it.

    The report is kept last. A look that is killed before leaves at most an event that no report names; the next
    look finds it, and wakes whoever waits for it.

    Args:
        config: Of the model.
        registry: Keeps event and report.
        rows: The router, or a table.
        read_kept: Reads what the champion is held against.
        now: On the model's clock.
        wake: Called with a look that raised an event, before the report is kept; twice for one event if the
            first call was cut off.

    Raises:
        NotFound: If the model has no champion.
        Unreachable: If the router does not answer.
    """
    champion = registry.champion(config.model)
    if champion is None:
        raise NotFound(f"{config.model} was not looked at.", "It has no champion.", "Train one: `understudy train`.")
    seen = measure(config, registry, rows, champion, read_kept(champion), now)
    look = _acted(config, registry, seen.look)
    if look.event_id is not None:
        wake(look)
    source = TABLE if isinstance(rows, TableRows) else "log"
    registry.save_drift_report(config.model, now, {**_summary(look), "source": source})
    return Watched(look, seen.content._replace(headline=headline(look)))


def measure(
    config: ModelConfig,
    registry: Registry,
    rows: RouterClient | Source,
    champion: ModelVersion,
    kept: Kept,
    now: datetime,
) -> Watched:
    """Measure and decide; nothing is stored."""
    past = [one for one in registry.drift_history(config.model, limit=REMEMBERED) if one.at != now][::-1]
    seen = _seen(config, registry, rows if isinstance(rows, Source) else LiveRows(rows, config), champion, past)
    look = looked(config, seen, champion, kept, now)
    decision = held(look.decision, _formers(registry, config.model, past), now, config.detection)
    waits = _waits(config, registry, now) if decision.triggered else decision.held_back
    look = msgspec.structs.replace(look, decision=decision, held_back=waits)
    window, baseline = seen.rows.tail(config.detection.window), champion.metrics.get("loss")
    return Watched(look, look_content(look, kept, window, past, baseline))


def _seen(
    config: ModelConfig, registry: Registry, source: Source, champion: ModelVersion, past: list[PastLook]
) -> Seen:
    limits = config.detection
    rows = source.newest(max(limits.window, (BACK + 1) * limits.error_window))
    return Seen(
        rows=rows,
        labelled=_followed(source, champion, (BACK + 1) * limits.error_window),
        new_rows=_new_rows(config, registry, source, champion),
        first_trained=min(
            (version.created_at for version in registry.versions(config.model)), default=champion.created_at
        ),
        before=_before(config, source, rows.tail(limits.window)),
        history=tuple(map(_reported, past)),
    )


def _followed(source: Source, champion: ModelVersion, least: int) -> pl.DataFrame:
    """Labelled rows, as far back as the champion answered; one that is new in service need not be sought for long."""
    near = source.labelled(max(NEAR, least))
    if near.height < max(NEAR, least) or not (near["_version"].head(NEAR // 4) == champion.version).any():
        return near
    return source.labelled(max(FOLLOWED, least))


def _before(config: ModelConfig, source: Source, window: pl.DataFrame) -> pl.DataFrame | None:
    """Rows of the rolling reference, if that is what the configuration wants."""
    if config.detection.season.reference != "rolling" or window.is_empty():
        return None
    start = float(window["_time"].min())  # type: ignore[arg-type]  # a float column that is not empty
    since = start - config.detection.season.rolling.total_seconds()
    return source.between(since, start)


def _reported(past: PastLook) -> DriftReport:
    """As much of an earlier report as the history keeps."""
    names = tuple(FeatureDrift(name=name, kind="numeric", n=past.rows, drifted=True) for name in past.drifted)
    return DriftReport(reference_rows=0, rows=past.rows, enough=past.enough, said="", features=names)


def _formers(registry: Registry, model: str, past: list[PastLook]) -> list[Former]:
    """Earlier looks; a retraining that was refused, or killed, has changed nothing."""
    events = registry.retraining_events(model, limit=REMEMBERED)
    done = {event.id for event in events if event.completed_at is not None and event.execution_attempted}
    return [
        Former(
            at=one.at,
            triggered=one.triggered or one.held_back is not None,
            confidence=one.confidence or 0.0,
            harm=one.harm,
            retrained=one.event_id in done,
        )
        for one in past
    ]


def _acted(config: ModelConfig, registry: Registry, look: Look) -> Look:
    """Raise an event for a triggered decision that nothing holds back."""
    if not look.decision.triggered or look.held_back is not None:
        return look
    newest = next(iter(registry.retraining_events(config.model, limit=1)), None)
    lost = newest is not None and newest.completed_at is None
    return msgspec.structs.replace(look, event_id=newest.id if newest and lost else _raise_event(registry, look))


def _waits(config: ModelConfig, registry: Registry, now: datetime) -> str | None:
    """Why a retraining that a rule asks for must wait, or None."""
    newest = next(iter(registry.retraining_events(config.model, limit=1)), None)
    if newest is not None and _unheard(registry, newest, now):
        return None
    return _obstacle(config, registry, newest, now)


def _unheard(registry: Registry, event: RetrainingEvent, now: datetime) -> bool:
    """Whether the look that raised it was cut off: it is this one, repeated, or it has left no report."""
    if event.execution_attempted or event.completed_at is not None or event.trigger_type in ASKED_BY_PEOPLE:
        return False
    told = registry.drift_history(event.model, since=event.triggered_at)
    return event.triggered_at == now or event.id not in {one.event_id for one in told}


def _new_rows(config: ModelConfig, registry: Registry, source: Source, champion: ModelVersion) -> int:
    """Labelled rows since anybody last tried to learn from them."""
    moments = [champion.data.end or datetime.fromtimestamp(0, UTC)]
    moments += [event.triggered_at for event in registry.retraining_events(config.model, limit=1)]
    return source.labelled_since(max(moments).timestamp())


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
    """What the history keeps: all but the moment, which it has anyway, and the statistics behind every verdict."""
    plain = look.to_dict()
    plain.pop("at")
    for report in filter(None, (plain["drift"], plain["season"])):
        for feature in (*report["features"], report["score_drift"], report["label_drift"]):
            if feature is not None:
                feature.pop("statistics")
    return plain
