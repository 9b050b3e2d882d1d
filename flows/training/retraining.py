"""One retraining, from the event that asked for it to the rollout that follows; knows no Prefect."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import msgspec

from flows.data.contract.records import CONTRACT_FILE
from flows.errors import Unreachable
from flows.notify import messages
from flows.tracking.tracker import Tracker
from flows.training import events
from flows.training.alone import alone
from flows.training.describing import CARD_FILE
from flows.training.errors import Busy, CancelledByPeople
from flows.training.judging import decision_id, follow, judge
from flows.training.limits import at_most, no_children_left, processor_s, watched
from flows.training.progress import within
from flows.training.publish import Proposal, next_number, propose, register
from flows.training.scratch import Scratch, left_behind
from flows.training.shop import Shop
from flows.training.stages import Trained, trained
from flows.training.tried import tried
from flows.validation.validate import validate
from registry.errors import NotFound, StoreUnavailable
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


class Asked(NamedTuple):
    """Who wants a retraining, and why; with the event, if there is one already."""

    event_id: str | None
    trigger: TriggerType
    reason: str
    actor: str


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
    interrupted goes on with its finished stages and trials, one that failed is tried
    again. Of one model only one retraining runs at a time; a second one is refused.

    Args:
        shop: Everything around it.
        event_id: Event that asked for it. If absent, that of a retraining with the same
            trigger that was killed within a day, else a new one.
        trigger: Kind of a new event.
        reason: Of a new event.
        actor: Who asked for it.
        force: Roll an active rollout back first, instead of refusing.

    Raises:
        Refusal: Whatever went wrong, after the event has recorded it.
    """
    wanted = event_id or _left_behind(shop, trigger)
    asked = Asked(wanted, trigger, reason, actor)
    try:
        with alone(shop.settings, shop.model, wanted or "") as sign:
            event = _open(shop, asked)
            sign(event.id)
            return _run(shop, event, actor, force)
    except Busy as busy:
        return _kept_out(shop, asked, busy)


def _open(shop: Shop, asked: Asked) -> RetrainingEvent:
    return events.open_event(
        shop.registry,
        shop.model,
        event_id=asked.event_id,
        trigger=asked.trigger,
        reason=asked.reason,
        actor=asked.actor,
        at=shop.clock(),
    )


def _left_behind(shop: Shop, trigger: TriggerType) -> str | None:
    """An event like the one asked for, whose attempt was killed lately: better than a new one from the start."""
    for name in left_behind(shop.settings, shop.clock()):
        with contextlib.suppress(NotFound):
            event = shop.registry.retraining_event(name)
            if event.model == shop.model and event.execution_successful is True:
                Scratch.of(shop.settings, name).remove()  # it was killed between its last word and this
            elif (event.model, event.trigger_type) == (shop.model, trigger):
                return name
    return None


def _kept_out(shop: Shop, asked: Asked, busy: Busy) -> Retraining:
    """Close an event that cannot run now; that of the one that runs is left alone."""
    said = f"{busy.what} {busy.why} {busy.mend}"
    if asked.event_id and asked.event_id == busy.event:
        return Retraining(event=shop.registry.retraining_event(asked.event_id), outcome="refused", said=said)
    event = _open(shop, asked)
    if event.completed_at is None:
        event = events.refused(shop.registry, event, said, shop.clock())
    return Retraining(event=event, outcome="refused", said=said)


def _run(shop: Shop, event: RetrainingEvent, actor: str, force: bool) -> Retraining:
    if _is_closed(event, force):
        Scratch.of(shop.settings, event.id).remove()
        return Retraining(event=event, outcome="known", said=f"{event.id} was completed before: {event.notes}")
    scratch, begun = Scratch.of(shop.settings, event.id), processor_s()
    try:
        done = _make_room(shop, event, actor, force) or _attempt(shop, event, actor)
    except BaseException as error:
        if not _goes_on_later(shop, error):
            scratch.remove()
        _record_failure(shop, event, error)
        events.spent(shop.registry, event.id, processor_s() - begun)
        raise
    scratch.remove()
    if done.outcome == "refused":
        return done
    return replace(done, event=events.spent(shop.registry, event.id, processor_s() - begun))


def _goes_on_later(shop: Shop, error: BaseException) -> bool:
    """Whether what is finished is worth keeping: it was stopped, or a server was away."""
    if isinstance(error, StoreUnavailable | Unreachable):
        return True
    return not isinstance(error, Exception) and not _by_people(shop, error)


def _by_people(shop: Shop, error: BaseException) -> bool:
    return isinstance(error, CancelledByPeople | KeyboardInterrupt) or (
        not isinstance(error, Exception) and shop.cancelled()
    )


def _is_closed(event: RetrainingEvent, force: bool) -> bool:
    """Whether nothing is left to do: it succeeded, or it was refused and that is not overruled."""
    if event.completed_at is None:
        return False
    return event.execution_successful is True or not (event.execution_attempted or force)


def _attempt(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining:
    event = events.attempted(shop.registry, event, "training", shop.clock())
    shop.tell_first(messages.retraining_starts(shop.model, event.id, event.trigger_type), key=f"{event.id}:before")
    done = _resumed(shop, event, actor) or _trained(shop, event, actor)
    if done.rollout is not None:
        _tell_better(shop, done)
    shop.step("emit event", lambda: _announce(shop, "completed", done.event, **done.to_dict()))
    said = messages.retraining_done(shop.model, event.id, done.event.retrained_version or "", done.outcome)
    shop.tell(said, key=f"{event.id}:done")
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
    _tracker(shop).note_retraining(closed)
    return Retraining(event=closed, outcome="refused", said=said)


def _trained(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining:
    with at_most(shop.model, shop.config.training.time_limit) as check, no_children_left():
        progress = watched(within(shop.progress, 0.0, 0.92), shop.model, check, shop.cancelled)
        made = trained(shop, event.id, progress)
        proposal = _proposed(shop, event, made, actor)
    candidate = made.candidate
    shop.progress(0.97, f"Register {proposal.version.version} in staging")
    event = events.named(shop.registry, event, proposal.version.version)
    version = shop.step(
        "register in staging",
        lambda: register(proposal, shop.registry, shop.artifacts, tracked=shop.config.tracking.enabled),
    )
    journal = Scratch.of(shop.settings, event.id).journal
    shown = {name: proposal.files[name] for name in (CARD_FILE, CONTRACT_FILE)}
    _tracker(shop).note_candidate(version, tried(journal), shown)
    if not version.parent or not _valid(version):
        return _finish(shop, event, version, None, actor)
    decision = shop.step("compare with production", lambda: judge(shop, event, candidate, version))
    return _finish(shop, event, version, decision, actor)


def _proposed(shop: Shop, event: RetrainingEvent, made: Trained, actor: str) -> Proposal:
    """The version as it would be registered, with what it has shown in a router of its own."""
    proposal = propose(
        made.candidate,
        config=shop.config,
        version=next_number(made.candidate, shop.registry, shop.config),
        actor=actor,
        reason=f"{event.id}: {event.trigger_reason}",
        at=shop.clock(),
        trigger=event.id,
    )
    if not shop.config.validation.enabled:
        return proposal
    shop.progress(0.92, f"Ask {proposal.version.version} in a router of its own")
    shown = shop.step(
        "validate in a router",
        lambda: validate(shop.config, shop.settings, proposal.version, proposal.files, made.held_out),
        retries=1,
    )
    seen = msgspec.structs.replace(proposal.version, validation=msgspec.to_builtins(shown))
    return replace(proposal, version=seen)


def _resumed(shop: Shop, event: RetrainingEvent, actor: str) -> Retraining | None:
    """Go on after a kill: with its decision if that was saved, else from the start with another number."""
    version = _version_of(shop, event)
    if version is None:
        return None
    decision = _decision_of(shop, event)
    if decision is None and version.parent is not None and _valid(version):
        _discard(shop, version, f"{event.id} was interrupted before it was compared")
        return None
    return _finish(shop, event, version, decision, actor)


def _valid(version: ModelVersion) -> bool:
    """Whether it may leave staging, as far as its validation goes."""
    return not version.validation or bool(version.validation["passed"])


def _finish(
    shop: Shop, event: RetrainingEvent, version: ModelVersion, decision: Decision | None, actor: str
) -> Retraining:
    outcome, said, rollout = shop.step("roll out", lambda: follow(shop, event, version, decision, actor))
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
    _tracker(shop).note_retraining(closed, moved, decision)
    return Retraining(event=closed, outcome=outcome, said=said, version=moved, decision=decision, rollout=rollout)


def _numbers(version: ModelVersion, decision: Decision | None, outcome: str) -> dict[str, Any]:
    return {
        "metrics": version.metrics,
        "baseline_metrics": version.baseline_metrics,
        "duration_s": version.duration_s,
        "rows": version.data.rows,
        "new_rows": version.data.new_rows,
        "data_version": version.data.version,
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
    if _by_people(shop, error):
        closed = events.cancelled(shop.registry, newest, _words(error), shop.clock())
    else:
        closed = events.failed(shop.registry, newest, error, shop.clock())
    _tracker(shop).note_retraining(closed)
    _announce(shop, "failed", newest, outcome="cancelled" if _by_people(shop, error) else "failed")
    failed = messages.failed(shop.model, f"retraining {event.id}", error)
    shop.tell(failed, key=f"{event.id}:failed:{shop.clock().isoformat()}")


def _tracker(shop: Shop) -> Tracker:
    return Tracker(shop.settings, shop.config)


def _words(error: BaseException) -> str:
    if isinstance(error, CancelledByPeople):
        return f"{error.why} Nothing was registered."
    return f"the process was stopped ({type(error).__name__}), as somebody wanted it to be. Nothing was registered."


def _tell_better(shop: Shop, done: Retraining) -> None:
    """Wake the rollout: a challenger waits for its first step."""
    shop.announce("understudy.challenger.better", {"model": shop.model, **done.to_dict()})


def _announce(shop: Shop, what: str, event: RetrainingEvent, **more: Any) -> None:
    """Tell other programs; the records hold it all, so nothing is lost if nobody hears it."""
    said = {"model": shop.model, "event_id": event.id, "trigger": event.trigger_type, **more}
    shop.announce(f"understudy.retraining.{what}", said)
