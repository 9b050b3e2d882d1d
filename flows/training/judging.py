"""Compare a new version with the champion, and do what the verdict says."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flows.comparison.identities import digest_of, identities
from flows.comparison.keep import keep
from flows.comparison.policy import configured_policy
from flows.comparison.rows import HoldoutCase, paired_rows
from flows.rollout.announce import asked, asked_key
from flows.rollout.begin import begin_rollout, configured_guards
from flows.training.describing import Candidate
from flows.training.shop import Shop
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import ModelVersion

Followed = Literal["installed", "rollout", "waiting_approval", "rejected", "undecided"]


def judge(shop: Shop, event: RetrainingEvent, candidate: Candidate, version: ModelVersion) -> Decision:
    """Compare both on the holdout rows that neither has learned from, and keep the decision."""
    holdout = candidate.holdout
    assert version.parent is not None
    assert holdout.champion is not None
    fair = slice(len(holdout.labels) - holdout.unseen, None)
    case = HoldoutCase(
        model=shop.model,
        champion=version.parent,
        challenger=version.version,
        task=candidate.task,
        policy=configured_policy(shop.config),
        decision_id=decision_id(event, version.version),
        at=shop.clock(),
        rows=paired_rows(
            candidate.task,
            holdout.labels[fair],
            holdout.champion[fair],
            holdout.challenger[fair],
            times=holdout.times[fair],
        ),
        left_out=len(holdout.labels) - holdout.unseen,
        identities=_identities(shop, version, holdout.labels[fair], holdout.times[fair]),
    )
    told = keep(shop.settings, case)
    shop.registry.save_decision(told)
    return told


def _identities(shop: Shop, version: ModelVersion, *data: NDArray[np.float64]) -> dict[str, str]:
    champion = shop.registry.version(shop.model, version.parent or "")
    return identities(champion, version, configured_policy(shop.config), digest_of(data))


def decision_id(event: RetrainingEvent, version: str) -> str:
    """Name the decision about *version*, so that an interrupted retraining finds it again."""
    return f"{event.id}-{version}"


def follow(
    shop: Shop, event: RetrainingEvent, version: ModelVersion, decision: Decision | None, actor: str
) -> tuple[Followed, str, Rollout | None]:
    """Install the first champion, begin a rollout, reject, or leave it in staging; safe to repeat."""
    if version.validation and not version.validation["passed"]:
        failed = "; ".join(one["said"] for one in version.validation["checks"] if not one["passed"])
        _reject(shop, version, f"it failed its validation: {failed}")
        return "rejected", f"{version.version} was rejected: it failed its validation. {failed}", None
    if decision is None:
        return "installed", _install(shop, event, version, actor), None
    if decision.outcome == "reject":
        _reject(shop, version, decision.headline)
        return "rejected", f"{version.version} was rejected: {decision.headline}", None
    if decision.outcome == "invalid":
        return "undecided", f"{version.version} stays in staging: {decision.headline}", None
    rollout = _begun(shop, version, decision) or _begin(shop, event, version, decision, actor)
    said = f"{version.version} goes into rollout {rollout.id}: {decision.headline}"
    if rollout.status != "waiting_approval":
        return "rollout", said, rollout
    shop.tell(asked(rollout, decision.headline), key=asked_key(rollout))
    return "waiting_approval", f"{said} It waits for approval.", rollout


def _install(shop: Shop, event: RetrainingEvent, version: ModelVersion, actor: str) -> str:
    champion = shop.registry.champion(shop.model)
    if champion is None or champion.version != version.version:
        shop.registry.install_first(
            shop.model,
            version.version,
            guards=configured_guards(shop.config.guards),
            salt=f"{shop.model}.first",
            actor=actor,
            reason=f"{event.id}: first champion",
            at=shop.clock(),
        )
    return f"{version.version} is the first champion of {shop.model}."


def _reject(shop: Shop, version: ModelVersion, why: str) -> None:
    if shop.registry.version(shop.model, version.version).stage != "rejected":
        shop.registry.set_stage(
            shop.model, version.version, "rejected", actor=version.actor, reason=why[:1000], at=shop.clock()
        )


def _begun(shop: Shop, version: ModelVersion, decision: Decision) -> Rollout | None:
    known = shop.registry.rollouts(shop.model)
    return next((r for r in known if r.challenger == version.version and r.decision_id == decision.id), None)


def _begin(shop: Shop, event: RetrainingEvent, version: ModelVersion, decision: Decision, actor: str) -> Rollout:
    return begin_rollout(
        shop.config,
        shop.registry,
        model=shop.model,
        challenger=version.version,
        decision=decision,
        actor=actor,
        reason=f"{event.id}: {event.trigger_reason}",
        at=shop.clock(),
    )
