"""Traffic plans: immutable, numbered without gaps, published by compare-and-swap."""

from msgspec import UnsetType
from sqlalchemy import Connection, func, insert, select, text

from registry.assignment import TOTAL
from registry.errors import PlanConflict, StageConflict
from registry.records.plan import CHAMPION, TrafficPlan
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.stages import refuse_deleted
from registry.store.tables import plans, rollouts
from registry.store.versions import lock_model, one_version, production


class Plans(Store):
    """The traffic plans of every model."""

    def plan(self, model: str) -> TrafficPlan | None:
        """Return the newest plan, or None before the first."""
        with self._reads() as connection:
            return newest_plan(connection, model)

    def plans(self, model: str, limit: int | None = 100) -> list[TrafficPlan]:
        """List plans, newest first."""
        with self._reads() as connection:
            return recent_plans(connection, model, limit)

    def publish_plan(self, plan: TrafficPlan) -> TrafficPlan:
        """
        Make *plan* the newest.

        Returns:
            The plan as it is stored.

        Raises:
            PlanConflict: If its epoch is not the next one: somebody published first; or if another
                model's experiment has taken places of its layer.
            NotFound: If an arm or a shadow is not registered.
            StageConflict: If its champion is not the version in production, an artifact was deleted, or it gives
                the challenger of an active rollout more callers than it has: its steps and its gate decide that.
        """
        plan = kept(plan)
        with self._writes() as connection:
            lock_model(connection, plan.model)
            _refuse_callers_past_the_gate(connection, plan)
            return publish(connection, plan)


def publish(connection: Connection, plan: TrafficPlan) -> TrafficPlan:
    """Publish inside a transaction that has locked the model and moved the stages already."""
    before = newest_plan(connection, plan.model)
    _refuse_wrong_epoch(plan, before)
    for version in dict.fromkeys([*(arm.version for arm in plan.arms), *plan.shadows]):
        refuse_deleted(one_version(connection, plan.model, version), f"was not given epoch {plan.epoch}")
    _refuse_foreign_champion(connection, plan)
    _refuse_taken_places(connection, plan)
    connection.execute(
        insert(plans).values(
            model=plan.model,
            epoch=plan.epoch,
            champion=plan.version_of(CHAMPION),
            document=plan.to_json().decode(),
            created_at=plan.created_at,
        )
    )
    append(
        connection,
        Cause(plan.actor, plan.reason, plan.created_at),
        "plan.published",
        model=plan.model,
        subject=f"epoch {plan.epoch}",
        before=_summary(before),
        after=_summary(plan),
    )
    return plan


def newest_plan(connection: Connection, model: str) -> TrafficPlan | None:
    """Read the newest plan of *model*."""
    found = recent_plans(connection, model, 1)
    return found[0] if found else None


def recent_plans(connection: Connection, model: str, limit: int | None) -> list[TrafficPlan]:
    """Read the newest plans of *model*, newest first."""
    query = select(plans.c.document).where(plans.c.model == model).order_by(plans.c.epoch.desc()).limit(limit)
    return [TrafficPlan.from_json(document) for document in connection.scalars(query)]


def plans_after(connection: Connection, model: str, epoch: int) -> list[TrafficPlan]:
    """Read the plans that were published after *epoch*, oldest first."""
    newer = (plans.c.model == model) & (plans.c.epoch > epoch)
    return [
        TrafficPlan.from_json(document)
        for document in connection.scalars(select(plans.c.document).where(newer).order_by(plans.c.epoch))
    ]


def champions_before(connection: Connection, model: str) -> list[str]:
    """
    Replay who was champion: a version that returns takes back everything after its first time.

    Returns:
        Former champions, oldest first, without the present one. After v1, v2, and back
        to v1 there is none: rolling back twice never brings the bad version back.
    """
    query = select(plans.c.champion).where(plans.c.model == model).order_by(plans.c.epoch)
    reigns: list[str] = []
    for champion in connection.scalars(query):
        if champion in reigns:
            del reigns[reigns.index(champion) + 1 :]
        else:
            reigns.append(champion)
    return reigns[:-1]


def ever_champion(connection: Connection, model: str) -> set[str]:
    """Read every version that was the champion of a plan."""
    return set(connection.scalars(select(plans.c.champion).where(plans.c.model == model).distinct()))


def _refuse_callers_past_the_gate(connection: Connection, plan: TrafficPlan) -> None:
    chosen = (rollouts.c.model == plan.model) & rollouts.c.status.in_(("waiting_approval", "running", "paused"))
    found = connection.execute(select(rollouts.c.id, rollouts.c.challenger).where(chosen)).first()
    if found is None:
        return
    before = newest_plan(connection, plan.model)
    has, gets = (_weight(one, found.challenger) if one is not None else 0 for one in (before, plan))
    if gets > has:
        raise StageConflict(
            f"Epoch {plan.epoch} of {plan.model} was not published.",
            f"It gives {found.challenger} {gets / TOTAL:.4g} of the callers; {found.id} has given {has / TOTAL:.4g}.",
            f"Its steps and its gate decide: `understudy rollout advance {plan.model}`.",
        )


def _weight(plan: TrafficPlan, version: str) -> int:
    return sum(plan.weight_of(arm.variant) for arm in plan.arms if arm.version == version)


def _refuse_wrong_epoch(plan: TrafficPlan, newest: TrafficPlan | None) -> None:
    epoch = newest.epoch if newest else 0
    if plan.epoch == epoch + 1:
        return
    who = f", published by {newest.actor}: {newest.reason}" if newest else ""
    raise PlanConflict(
        f"Epoch {plan.epoch} of {plan.model} was not published.",
        f"The newest is epoch {epoch}{who}; only epoch {epoch + 1} can follow.",
        "Read the newest plan, decide again, and publish the next epoch.",
    )


def _refuse_foreign_champion(connection: Connection, plan: TrafficPlan) -> None:
    champion, named = production(connection, plan.model), plan.version_of(CHAMPION)
    if champion is not None and champion.version != named:
        raise StageConflict(
            f"Epoch {plan.epoch} of {plan.model} was not published.",
            f"Its champion is {named}, but {champion.version} is in production.",
            "Keep the champion; to change it, promote or roll back.",
        )


def _refuse_taken_places(connection: Connection, plan: TrafficPlan) -> None:
    layer = plan.layer
    if isinstance(layer, UnsetType) or not plan.challengers:
        return
    if connection.dialect.name == "postgresql":  # two models may publish at once; SQLite has locked everything already
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"layer {layer.name}"})
    taken = [
        f"{other.model} has places {other.layer.first} to {other.layer.last} (epoch {other.epoch})"
        for other in _newest_of_others(connection, plan.model)
        if other.challengers and not isinstance(other.layer, UnsetType) and layer.overlaps(other.layer)
    ]
    if taken:
        raise PlanConflict(
            f"Epoch {plan.epoch} of {plan.model} was not published.",
            f"It wants places {layer.first} to {layer.last} of layer {layer.name}, but {'; '.join(taken)}.",
            "Choose places that are free, or end the other experiment first.",
        )


def _newest_of_others(connection: Connection, model: str) -> list[TrafficPlan]:
    newest = select(plans.c.model, func.max(plans.c.epoch).label("epoch")).where(plans.c.model != model)
    of_each = newest.group_by(plans.c.model).subquery()
    query = select(plans.c.document).join(
        of_each, (plans.c.model == of_each.c.model) & (plans.c.epoch == of_each.c.epoch)
    )
    return [TrafficPlan.from_json(document) for document in connection.scalars(query.order_by(plans.c.model))]


def _summary(plan: TrafficPlan | None) -> dict[str, object]:
    if plan is None:
        return {}
    return {
        "epoch": plan.epoch,
        "phase": plan.phase,
        "weights": {arm.variant: plan.weight_of(arm.variant) for arm in plan.arms},
        "arms": {arm.variant: arm.version for arm in plan.arms},
        "shadows": list(plan.shadows),
        "paused": plan.paused,
        **({} if isinstance(plan.layer, UnsetType) else {"layer": plan.layer.to_dict()}),
        "digest": plan.digest(),
    }
