"""`understudy traffic`: who answers callers, now, before, and if a share were another."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import opened_registry, settings
from flows.cli.options import Actor, Json, Limit, Model, Reason, example
from flows.cli.screen import facts, print_json, say, table

if TYPE_CHECKING:
    from registry.records.plan import TrafficPlan

app = typer.Typer(no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="traffic", epilog=example("understudy traffic show churn"))


@app.callback()
def traffic() -> None:
    """Show the traffic plan: who answers callers, who only watches."""


@app.command(epilog=example("understudy traffic show churn"))
def show(model: Model, *, as_json: Json = False) -> None:
    """Show the plan in force."""
    found = plan_of(model)
    if as_json:
        return print_json(found)
    values = found.to_dict() | {"split": split_of(found)}
    return say(facts(f"{model}, plan {found.epoch}", {k: v for k, v in values.items() if k not in ("slices", "arms")}))


@app.command(epilog=example("understudy traffic history churn --limit 20"))
def history(model: Model, *, limit: Limit = 20, as_json: Json = False) -> None:
    """List plans, newest first."""
    with opened_registry(model) as registry:
        found = registry.plans(model, limit=limit)
    if as_json:
        return print_json(found)
    rows = [(p.epoch, p.phase, split_of(p), p.shadows, p.paused, p.created_at, p.actor, p.reason) for p in found]
    columns = ("epoch", "phase", "split", "shadows", "paused", "at", "actor", "reason")
    return say(table(f"Plans of {model}", columns, rows))


@app.command(epilog=example("understudy traffic preview churn customer-17 customer-18 --share 0.5"))
def preview(
    model: Model,
    keys: Annotated[list[str], typer.Argument(help="Keys of callers.", metavar="KEY", show_default=False)],
    *,
    share: Annotated[float, typer.Option(help="Share of the challenger.", min=0, max=1)] = 0.1,
    as_json: Json = False,
) -> None:
    """Say who would answer which key, and why, if the challenger's share were SHARE; changes nothing."""
    current, then = plan_of(model), _at_share(model, round(share * 1_000_000))
    found = [(key, current.assign(key), then.assign(key)) for key in keys]
    rows = [
        {"key": key, "now": now.variant, "then": one.variant, "bucket": one.bucket, "reason": one.reason}
        for key, now, one in found
    ]
    if as_json:
        return print_json(rows)
    columns = ("key", "now", "then", "bucket", "reason")
    return say(table(f"{model} at {share * 100:.4g} %", columns, [list(row.values()) for row in rows]))


def _at_share(model: str, share: int) -> "TrafficPlan":
    """Lay out the plan that the active rollout would publish at this share; without one, the plan in force resized."""
    import msgspec

    from registry.assignment import home_slices
    from registry.ramp import CHALLENGER, step_plan
    from registry.records.plan import CHAMPION, Arm, Slice
    from registry.records.rollout import Step

    current = plan_of(model)
    with opened_registry(model) as registry:
        rollout = registry.active_rollout(model)
    if rollout is not None:
        alone = msgspec.structs.replace(rollout, steps=(Step(share=share, min_s=0, max_s=0),), step=-1)
        return step_plan(alone, 0, current, actor="preview", reason="preview", at=current.created_at)
    champion = current.version_of(CHAMPION)
    arms = {CHAMPION: champion, CHALLENGER: champion} | {arm.variant: arm.version for arm in current.arms}
    return msgspec.structs.replace(
        current,
        slices=tuple(Slice(variant=variant, weight=weight) for variant, weight in home_slices({CHALLENGER: share})),
        arms=tuple(Arm(variant=variant, version=version) for variant, version in arms.items()),
    )


@app.command(epilog=example('understudy traffic advance churn --reason "seen enough"'))
def advance(
    model: Model,
    *,
    reason: Reason,
    actor: Actor,
    share: Annotated[
        float | None, typer.Option(help="Share of the challenger, where no rollout is active.", min=0, max=1)
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Whose share, if there are several challengers.")] = None,
    as_json: Json = False,
) -> None:
    """Make the next step of the rollout now, or give a challenger another share."""
    from flows.client import RouterClient

    plan_of(model)
    with RouterClient(settings(), actor=actor) as client:
        made = client.advance(model, actor=actor, reason=reason, share=share, variant=variant)
    if as_json:
        return print_json(made)
    return say(facts(f"{model}, plan {made.epoch}", {"phase": made.phase, "split": split_of(made)}))


@app.command(epilog=example("understudy traffic workers"))
def workers(*, as_json: Json = False) -> None:
    """Show what every worker of the router says of itself: plans in force, open circuits, stopped challengers."""
    from flows.client import RouterClient

    with RouterClient(settings()) as client:
        found = client.workers()
    if as_json:
        return print_json(found)
    columns = ("worker", "epochs", "breakers", "stopped", "unlogged")
    return say(table("Workers", columns, [[one.get(name) for name in columns] for one in found]))


@app.command(epilog=example("understudy traffic notes churn"))
def notes(model: Model, *, limit: Limit = 20, as_json: Json = False) -> None:
    """List what the router noted by itself, newest first: rollbacks, a failing champion, trouble, a wrong split."""
    from flows.client import RouterClient

    plan_of(model)
    with RouterClient(settings()) as client:
        found = client.events(model, limit=limit)
    if as_json:
        return print_json(found)
    rows = [(datetime.fromtimestamp(one["at"], UTC), one["kind"], one["said"]) for one in found]
    return say(table(f"Notes of {model}", ("at", "kind", "said"), rows) if rows else f"Nothing was noted of {model}.")


def plan_of(model: str) -> "TrafficPlan":
    """
    Read the plan in force.

    Raises:
        NotFound: If the model is unknown or has none.
    """
    from registry.errors import NotFound

    with opened_registry(model) as registry:
        found = registry.plan(model)
    if found is None:
        raise NotFound(
            f"{model!r} has no traffic plan.",
            "It has no champion yet.",
            f"Install a first champion: `understudy train {model}`.",
        )
    return found


def split_of(found: "TrafficPlan") -> dict[str, str]:
    """Share and version of every variant."""
    return {arm.variant: f"{found.weight_of(arm.variant) / 10_000:g} % {arm.version}" for arm in found.arms}
