"""Begin the rollout of a challenger, or ask people first."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from flows.comparison.decide import shown
from flows.comparison.policy import configured_policy
from flows.config.experiment import NO_LAYER, ExperimentConfig, LayerConfig
from flows.config.model import GuardsConfig, ModelConfig
from flows.rollout.errors import RolloutRefused
from flows.rollout.strategies import configured_steps, strategy_of
from flows.validation.evidence import refuse_unvalidated
from registry.approval import approval_digest
from registry.errors import AlreadyExists, StageConflict
from registry.records.plan import Guards, Layer
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Experiment, Gate, Rollout, RolloutStatus, Step, Strategy, Waiting
from registry.records.verdict import Decision
from registry.records.version import ModelVersion
from registry.records.watch import WatchLimits
from registry.store.base import Cause
from registry.store.registry import Registry


def begin_rollout(
    config: ModelConfig,
    registry: Registry,
    *,
    model: str,
    challenger: str,
    decision: Decision | None,
    actor: str,
    reason: str,
    at: datetime,
    steps: Sequence[Step] | None = None,
    strategy: Strategy | None = None,
) -> Rollout:
    """
    Store a new rollout; the next tick makes its first move.

    It waits for people if the decision says so, or if the first step would answer callers
    and the policy asks for approval; otherwise a first shadow step may run meanwhile.

    Args:
        config: Names steps, policy, guards and who takes part.
        registry: Where it is stored.
        model: Name of the model.
        challenger: A registered version.
        decision: What speaks for it, already saved; None for a person's own wish.
        actor: Who begins it.
        reason: Why.
        at: On the model's clock.
        steps: Instead of the configured ones.
        strategy: Instead of the configured one; steps of one's own stand before it.

    Raises:
        RolloutRefused: If there is no champion, or it is this version, or the decision is about
            something else.
        NotValidated: If the version failed its validation or had none, and the configuration asks for one.
        StageConflict: If another rollout of the model is active, or the version is out of the game.
    """
    champion = _opponent(registry, model, challenger, decision)
    refuse_unvalidated(config, registry, registry.version(model, challenger), f"No rollout of {challenger} was begun.")
    rollout = _laid_out(
        config,
        registry.next_rollout_id(model),
        model=model,
        versions=(champion.version, challenger),
        decision=decision,
        steps=tuple(steps) if steps is not None else configured_steps(config, strategy),
        strategy="custom" if steps is not None else strategy or strategy_of(config.rollout),
        reason=reason,
        at=at,
    )
    return _started(registry, rollout, decision, Cause(actor, reason, at))


def _laid_out(
    config: ModelConfig,
    name: str,
    *,
    model: str,
    versions: tuple[str, str],
    decision: Decision | None,
    steps: tuple[Step, ...],
    strategy: Strategy,
    reason: str,
    at: datetime,
) -> Rollout:
    """All that is fixed when it begins; *versions* are champion and challenger."""
    policy = decision.policy if decision else configured_policy(config)
    champion, challenger = versions
    return Rollout(
        id=name,
        model=model,
        champion=champion,
        challenger=challenger,
        steps=steps,
        policy=policy,
        guards=configured_guards(config.guards),
        salt=f"{model}.{name}",
        status=_first_status(decision, policy, steps),
        step_started_at=at,
        created_at=at,
        said=reason,
        decision_id=decision.id if decision else None,
        proven=decision is not None and shown(decision),
        experiment=configured_experiment(config.experiment),
        strategy=strategy,
        gate=configured_gate(config),
        watch=configured_watch(config),
        watch_s=config.watch.duration.total_seconds() / config.rollout.speed,
    )


def _started(registry: Registry, rollout: Rollout, decision: Decision | None, cause: Cause) -> Rollout:
    """Store it under the next free name; who begins that of another model at the same moment may take one first."""
    while True:
        try:
            asking = _held(registry, _asking(registry, rollout, decision))
            return registry.start_rollout(asking, actor=cause.actor, reason=cause.reason, at=cause.at)
        except AlreadyExists:
            name = registry.next_rollout_id(rollout.model)
            rollout = msgspec.structs.replace(rollout, id=name, salt=f"{rollout.model}.{name}")


def _asking(registry: Registry, rollout: Rollout, decision: Decision | None) -> Rollout:
    """A rollout that waits from its beginning says what it asks, and to what a sign-off is bound."""
    if rollout.status != "waiting_approval":
        return rollout
    said = decision.headline if decision else "people must agree before the first caller is answered"
    bound = approval_digest(registry, rollout)
    waiting = Waiting(question="begin", bound_to=bound, since=rollout.created_at, said=said)
    return msgspec.structs.replace(rollout, waiting=waiting)


def _held(registry: Registry, rollout: Rollout) -> Rollout:
    """Who paused the traffic of a model paused also what begins meanwhile; it is resumed like any other."""
    plan = registry.plan(rollout.model)
    if plan is None or not plan.paused:
        return rollout
    said = f"{plan.actor} holds it since plan {plan.epoch}: {plan.reason}"
    return msgspec.structs.replace(rollout, status="paused", said=said)


def _opponent(registry: Registry, model: str, challenger: str, decision: Decision | None) -> ModelVersion:
    """The champion, once nothing speaks against a rollout beside it."""
    champion = _champion(registry, model, challenger)
    if decision is not None:
        _refuse_a_foreign(decision, champion.version, challenger)
    refuse_impossible(registry, model, challenger)
    return champion


def refuse_impossible(registry: Registry, model: str, challenger: str) -> None:
    """
    Make sure that *challenger* could begin now; changes nothing.

    Raises:
        NotFound: If there is no such version.
        RolloutRefused: If it is the champion.
        StageConflict: If another rollout is active.
    """
    what, wanted = f"No rollout of {challenger} was begun.", registry.version(model, challenger)
    if wanted.stage == "production":
        raise RolloutRefused(
            what,
            f"{challenger} is the champion of {model} already.",
            f"Choose another: `understudy models list {model}`.",
        )
    active = registry.active_rollout(model)
    if active is not None:
        raise StageConflict(
            what,
            f"{active.id} of {active.challenger} is {active.status}.",
            f"Wait for it, or end it: `understudy rollout abort {model}`.",
        )


def configured_guards(guards: GuardsConfig) -> Guards:
    """Turn the configured guards into the record."""
    return Guards(**guards.model_dump())


def configured_gate(config: ModelConfig) -> Gate:
    """Turn the section `approval` into the record."""
    section, speed = config.approval, config.rollout.speed
    return Gate(
        roles=section.roles,
        approvers=section.approvers,
        remind_s=section.remind.total_seconds() / speed,
        expire_s=section.expire.total_seconds() / speed,
        on_expiry=section.on_expiry,
    )


def configured_watch(config: ModelConfig) -> WatchLimits:
    """Turn the section `watch` into the record; without a KPI of its own it watches that of the guards."""
    limits = config.watch.model_dump(exclude={"duration"})
    return WatchLimits(**limits | {"kpi": config.watch.kpi or config.guards.kpi})


def configured_experiment(section: ExperimentConfig) -> Experiment | UnsetType:
    """Turn the section into the record; none if it says nothing."""
    if section == ExperimentConfig():
        return UNSET
    return Experiment(
        layer=UNSET if section.layer is None else _layer(section.layer),
        enrolment=UNSET if section.holdout is None else 100 - round(section.holdout * 100),
        forced=UNSET if section.forced is None else {str(variant): keys for variant, keys in section.forced.items()},
        noise_arm=section.noise_arm,
    )


def _layer(chosen: LayerConfig) -> Layer | None:
    return None if chosen.name == NO_LAYER else Layer(name=chosen.name, first=chosen.first, last=chosen.last)


def _first_status(decision: Decision | None, policy: PromotionPolicy, steps: Sequence[Step]) -> RolloutStatus:
    doubtful = decision is not None and decision.outcome == "needs_approval"
    answers_at_once = policy.require_approval and steps[0].share > 0
    return "waiting_approval" if doubtful or answers_at_once else "running"


def _champion(registry: Registry, model: str, challenger: str) -> ModelVersion:
    registry.version(model, challenger)
    champion = registry.champion(model)
    if champion is None:
        raise RolloutRefused(
            f"No rollout of {challenger} was begun.",
            f"{model!r} has no champion to compare it with.",
            "Install a first version: `understudy train`, or `understudy promote`.",
        )
    return champion


def _refuse_a_foreign(decision: Decision, champion: str, challenger: str) -> None:
    compared = (decision.champion, decision.challenger)
    if compared != (champion, challenger):
        raise RolloutRefused(
            f"No rollout of {challenger} was begun.",
            f"Decision {decision.id} compared {compared[1]} with {compared[0]}, but the champion is {champion}.",
            "Compare again: `understudy compare`.",
        )
    if decision.outcome in ("reject", "invalid"):
        raise RolloutRefused(
            f"No rollout of {challenger} was begun.",
            f"Decision {decision.id} says {decision.outcome}: {decision.headline}",
            "Train another challenger, or begin without a decision: `understudy promote`.",
        )
