"""One retraining, from the event that asked for it to the rollout that follows; knows no Prefect."""

from dataclasses import dataclass
from typing import Any, Literal

from flows.comparison.scoring import TableScorer
from flows.notify import messages
from flows.training import events
from flows.training.candidate import Candidate, train_candidate
from flows.training.judging import decision_id, follow, judge
from flows.training.publish import next_number, publish
from flows.training.shop import Shop
from registry.errors import NotFound
from registry.records.retraining import RetrainingEvent, TriggerType
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import ModelVersion

Outcome = Literal["installed", "rollout", "waiting_approval", "rejected", "undecided", "refused", "known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """
    What came of a retraining.

    Attributes:
        outcome: "installed": as first champion; "rollout": it runs; "waiting_approval":
            people must agree first; "rejected": worse than the champion; "undecided":
            left in staging; "refused": nothing was trained; "known": the event was
            completed before.
        said: One sentence for people.
    """

    event: RetrainingEvent
    outcome: Outcome
    said: str
    version: ModelVersion | None = None
    decision: Decision | None = None
    rollout: Rollout | None = None

    def to_dict(self) -> dict[str, Any]:
        """Names and numbers, for a flow's result."""
        return {
            "event_id": self.event.id,
            "outcome": self.outcome,
            "said": self.said,
            "version": self.version.version if self.version else None,
            "decision": self.decision.id if self.decision else None,
            "rollout": self.rollout.id if self.rollout else None,
        }


def run_retraining(
    shop: Shop,
    *,
    event_id: str | None = None,
    trigger: TriggerType = "manual",
    reason: str = "",
    actor: str,
    force: bool = False,
) -> Retraining:
    """
    Train a challenger, compare it with the champion on the holdout, and begin its rollout.

    Safe to repeat: an event that was completed is not trained again, one that was
    interrupted goes on, one that failed is tried again.

    Args:
        shop: Everything around it.
        event_id: Event that asked for it; a new one is written if absent.
        trigger: Kind of a new event.
        reason: Of a new event.
        actor: Who asked for it.
        force: Roll an active rollout back first, instead of refusing.

    Raises:
        Refusal: Whatever went wrong, after the event has recorded it.
    """
    event = events.open_event(
        shop.registry, shop.model, event_id=event_id, trigger=trigger, reason=reason, actor=actor, at=shop.clock()
    )
    if _is_closed(event, force):
        return Retraining(event=event, outcome="known", said=f"{event.id} was completed before: {event.notes}")
    try:
        return _make_room(shop, event, actor, force) or _attempt(shop, event, actor)
    except BaseException as error:
        _record_failure(shop, event, error)
        raise


def _is_closed(event: RetrainingEvent, force: bool) -> bool:
    """Whether nothing is left to do: it succeeded, or it was refused and that is not overruled."""
    if event.completed_at is None:
        return False
    return event.execution_successful is True or not (event.execution_attempted or force)


def _attempt(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining:
    event = events.attempted(shop.registry, event, "training")
    shop.tell(messages.retraining_starts(shop.model, event.id, event.trigger_type))
    done = _resumed(shop, event, actor) or _trained(shop, event, actor)
    shop.tell(messages.retraining_done(shop.model, done.event.id, done.event.retrained_version or "", done.said))
    shop.progress(1.0, done.said)
    return done


def _make_room(shop: Shop, event: RetrainingEvent, actor: str, force: bool) -> Retraining | None:
    """Refuse while another challenger is on its way, unless it must give way."""
    active = shop.registry.active_rollout(shop.model)
    if active is None or active.challenger == event.retrained_version:
        return None
    if force:
        reason = f"{event.id} makes room for a new challenger: {event.trigger_reason}"
        shop.registry.roll_back(shop.model, actor=actor, reason=reason, at=shop.clock())
        return None
    said = (
        f"Nothing was trained: rollout {active.id} of {active.challenger} is {active.status.replace('_', ' ')}. "
        "Wait for its end, roll it back, or retrain with force."
    )
    closed = events.refused(shop.registry, event, said, shop.clock())
    return Retraining(event=closed, outcome="refused", said=said)


def _trained(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining:
    frame = shop.step("read rows", shop.read_rows, retries=3)
    candidate = shop.step("train", lambda: _train(shop, frame))
    return shop.step("judge and register", lambda: _register(shop, event, candidate, actor))


def _train(shop: Shop, frame: Any) -> Candidate:
    champion = shop.registry.champion(shop.model)
    return train_candidate(
        shop.config,
        frame,
        champion=champion,
        champion_scorer=TableScorer(champion, shop.artifacts) if champion else None,
        seed=shop.config.training.seed,
        as_of=shop.clock(),
        on_progress=shop.progress,
    )


def _register(shop: Shop, event: RetrainingEvent, candidate: Candidate, actor: str) -> Retraining:
    number = next_number(candidate, shop.registry, shop.config)
    event = events.named(shop.registry, event, number)
    version = publish(
        candidate,
        shop.registry,
        shop.artifacts,
        config=shop.config,
        version=number,
        actor=actor,
        reason=f"{event.id}: {event.trigger_reason}",
        at=shop.clock(),
    )
    decision = judge(shop, event, candidate, version) if candidate.parent else None
    return _finish(shop, event, version, decision, actor)


def _resumed(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining | None:
    """Go on after a kill: with its decision if that was saved, else from the start with another number."""
    version = _version_of(shop, event)
    if version is None:
        return None
    decision = _decision_of(shop, event)
    if decision is None and version.parent is not None:
        _discard(shop, version, f"{event.id} was interrupted before it was compared")
        return None
    return _finish(shop, event, version, decision, actor)


def _finish(
    shop: Shop, event: RetrainingEvent, version: ModelVersion, decision: Decision | None, actor: str
) -> Retraining:
    outcome, said, rollout = follow(shop, event, version, decision, actor)
    closed = events.succeeded(
        shop.registry,
        event,
        version.metrics,
        version.baseline_metrics,
        execution_metrics=_numbers(version, decision, outcome),
        completed_at=max(event.triggered_at, shop.clock()),
        notes=said,
    )
    moved = shop.registry.version(shop.model, version.version)
    return Retraining(event=closed, outcome=outcome, said=said, version=moved, decision=decision, rollout=rollout)


def _numbers(version: ModelVersion, decision: Decision | None, outcome: str) -> dict[str, Any]:
    return {
        "metrics": version.metrics,
        "baseline_metrics": version.baseline_metrics,
        "duration_s": version.duration_s,
        "rows": version.data.rows,
        "fingerprint": version.data.fingerprint,
        "algorithm": version.algorithm,
        "window": version.params.get("window"),
        "decision": decision.id if decision else None,
        "outcome": outcome,
    }


def _version_of(shop: Shop, event: RetrainingEvent) -> ModelVersion | None:
    if event.retrained_version is None:
        return None
    try:
        version = shop.registry.version(shop.model, event.retrained_version)
    except NotFound:
        return None
    ours = version.reason.startswith(f"{event.id}:") and version.stage != "rejected"
    return version if ours else None


def _decision_of(shop: Shop, event: RetrainingEvent) -> Decision | None:
    try:
        return shop.registry.decision(decision_id(event, str(event.retrained_version)))
    except NotFound:
        return None


def _discard(shop: Shop, version: ModelVersion, reason: str) -> None:
    shop.registry.set_stage(shop.model, version.version, "rejected", actor="understudy", reason=reason, at=shop.clock())


def _record_failure(shop: Shop, event: RetrainingEvent, error: BaseException) -> None:
    """Keep what went wrong; the version it had named, if any, stays where it is."""
    newest = shop.registry.retraining_event(event.id)
    events.failed(shop.registry, newest, error, shop.clock())
    shop.tell(messages.failed(shop.model, f"retraining {event.id}", error))
