"""The pace in force of a model, and how a look changes it: kept in the audit trail, shown as schedules of Prefect."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from flows.config.durations import text
from flows.config.model import ModelConfig
from flows.detection.appointments import ACTOR
from flows.detection.fusion.cadence import Rhythm
from flows.detection.rhythm import STEADY, Crons, crons, length, settled
from flows.detection.sources import TABLE
from registry.store.registry import Registry

ACTION = "schedule.changed"
_BACK = 20  # reports, of which some may be of tables


class PaceInForce(NamedTuple):
    """
    At which pace a model is looked at and retrained.

    Attributes:
        look_every: Time between two looks.
        retrain_every: Time between two scheduled retrainings.
        own: Whether it was set for this model; else it is that of its age.
    """

    look_every: timedelta
    retrain_every: timedelta
    own: bool


class _Kept(msgspec.Struct, frozen=True):
    look_s: float
    retrain_s: float
    look_cron: str | None = None
    retrain_cron: str = ""
    full_rebuild: bool = False

    @property
    def written(self) -> Crons:
        return Crons(self.look_cron, self.retrain_cron, self.full_rebuild)


class _Wish(msgspec.Struct, frozen=True):
    next_check: timedelta | None = None
    cadence: Rhythm | None = None


class _Report(msgspec.Struct, frozen=True):
    decision: _Wish = _Wish()
    source: str = "log"


def pace_in_force(registry: Registry, config: ModelConfig, now: datetime) -> PaceInForce:
    """Read it: what was set last, or weekly in a model's first months and monthly after that."""
    limits = config.detection.cadence
    kept = _kept(registry, config)
    if kept is not None:
        return PaceInForce(timedelta(seconds=kept.look_s), timedelta(seconds=kept.retrain_s), own=True)
    versions = registry.versions(config.model)
    young = not versions or now - min(one.created_at for one in versions) < limits.young
    return PaceInForce(limits.check, limits.early if young else limits.later, own=False)


def _kept(registry: Registry, config: ModelConfig) -> _Kept | None:
    """What was set last for this model alone."""
    entries = registry.audit(config.model, limit=1, action=ACTION) if config.schedule.adaptive else []
    return msgspec.convert(entries[0].after, _Kept, strict=False) if entries else None


def adapt(registry: Registry, config: ModelConfig, now: datetime) -> Crons | None:
    """
    Follow what the newest looks recommend, within the limits; a change of either is written into the audit trail.

    Returns:
        The schedules that this model should have; None if those of every model suffice.
    """
    if not config.schedule.adaptive:
        return None
    before, limits = pace_in_force(registry, config, now), config.detection.cadence
    wishes = _wishes(registry, config.model)
    look = settled(before.look_every, [one.next_check for one in wishes if one.next_check]) or before.look_every
    rhythms = [length(one.cadence, limits) for one in wishes if one.cadence]
    retrain = settled(before.retrain_every, rhythms) or before.retrain_every
    wanted = crons(look, retrain, limits, config.schedule)
    kept, after = _kept(registry, config), PaceInForce(look, retrain, own=True)
    was = kept.written if kept else crons(before.look_every, before.retrain_every, limits, config.schedule)
    if after[:2] == before[:2] and was == wanted:
        return wanted if before.own else None
    reason = "the limits of the configuration changed" if after == before else _why(registry, config, before, after)
    _note(registry, config, _shown(before, was), _shown(after, wanted), reason, now)
    return wanted


def _wishes(registry: Registry, model: str) -> list[_Wish]:
    """Of the newest looks at what is served, the newest first."""
    found = []
    for report in registry.drift_reports(model, limit=_BACK):
        try:
            read = msgspec.convert(report, _Report)
        except msgspec.ValidationError:
            break
        if read.source != TABLE:
            found.append(read.decision)
    return found[:STEADY]


def _note(
    registry: Registry,
    config: ModelConfig,
    before: dict[str, Any],
    after: dict[str, Any],
    reason: str,
    now: datetime,
) -> None:
    limits = {"fastest": text(config.schedule.fastest), "slowest": text(config.schedule.slowest)}
    registry.record(
        actor=ACTOR,
        action=ACTION,
        model=config.model,
        subject=config.model,
        reason=reason,
        at=now,
        before=before,
        after=after | limits,
    )


def _why(registry: Registry, config: ModelConfig, before: PaceInForce, after: PaceInForce) -> str:
    newest = next(iter(_wishes(registry, config.model)), _Wish())
    faster = after.retrain_every < before.retrain_every or after.look_every < before.look_every
    how = "the last look asks for it" if faster else f"{STEADY} looks in a row ask for no more"
    return f"{how}: retraining {newest.cadence or 'as before'}, next look after {_text(newest.next_check)}"


def _text(duration: timedelta | None) -> str:
    return "the usual time" if duration is None else text(duration)


def _shown(pace: PaceInForce, written: Crons) -> dict[str, Any]:
    return {
        "look": text(pace.look_every),
        "look_s": pace.look_every.total_seconds(),
        "retrain": text(pace.retrain_every),
        "retrain_s": pace.retrain_every.total_seconds(),
        "look_cron": written.look,
        "retrain_cron": written.retrain,
        "full_rebuild": written.rebuild,
    }
