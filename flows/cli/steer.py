"""`understudy promote | rollback`: move callers, and say why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import look_soon, opened_registry, settings, version_of
from flows.cli.options import Actor, AsOf, DryRun, Json, Model, Reason, Version, example, moment
from flows.cli.screen import facts, print_json, say
from flows.errors import Unreachable
from registry.errors import NotFound, StoreUnavailable

ROUTER_S = 5.0
"""Seconds that the router may take to say that the registry knows of a rollback, too; callers it gives back at once."""

if TYPE_CHECKING:
    from datetime import datetime

    from registry.records.plan import TrafficPlan
    from registry.store.registry import Registry


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example('understudy promote churn v1.2.0 --reason "better on the holdout"'))(promote)
    app.command(epilog=example('understudy rollback churn --reason "wrong prices"'))(rollback)


def promote(
    model: Model,
    version: Version,
    *,
    reason: Reason,
    actor: Actor,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Begin the rollout of a version; a model without champion gets it as its first one."""
    with opened_registry(model) as registry:
        would = _promotion(registry, model, version)
    if dry_run:
        return _show(f"{model}: promote {version}", would, as_json=as_json)
    from flows.rollout.desk import opened
    from flows.rollout.promote import start

    with opened(settings()) as desk:
        done = start(desk, model, version, actor=actor, reason=reason, at=moment(as_of))
    look_soon(model, as_of)
    return _show(model, done, as_json=as_json)


def rollback(
    model: Model,
    *,
    reason: Reason,
    actor: Actor,
    to: Annotated[str | None, typer.Option(help="Version to bring back; the one before if absent.")] = None,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Take the challenger off; without one, bring the champion before back. Needs no Prefect server."""
    if dry_run:
        with opened_registry(model) as registry:
            return _show(f"{model}: roll back", _return(registry, model, to), as_json=as_json)
    done = _router_first(model, actor=actor, reason=reason, to=to) if as_of is None else None
    if done is not None:
        return _show(model, done, as_json=as_json)
    from registry.ramp import is_this_rollback

    try:
        with opened_registry(model) as registry:
            newest = registry.plan(model) if registry.active_rollout(model) is None else None
            if to is None and newest is not None and is_this_rollback(newest, actor, reason):
                return _show(model, _done(newest), as_json=as_json)
            _return(registry, model, to)
        done = _take_back(model, actor=actor, reason=reason, to=to, at=moment(as_of))
    except StoreUnavailable as away:
        done = _router_takes_back(model, away, actor=actor, reason=reason, to=to)
    return _show(model, done, as_json=as_json)


def _router_first(model: str, *, actor: str, reason: str, to: str | None) -> dict[str, Any] | None:
    """Callers wait for no database driver to be loaded; what the router does not do, the registry does, or explains."""
    if not settings().has_token:
        return None
    from flows.client import RouterClient
    from registry.errors import Refusal
    from registry.records.plan import CHAMPION

    try:
        with RouterClient(settings(), actor=actor, timeout=ROUTER_S) as client:
            plan = client.rollback(model, actor=actor, reason=reason, to=to)
    except Refusal:
        return None
    from flows.rollout.giveback import note

    note(settings(), model, plan, actor=actor, reason=reason)
    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
    return {"champion": plan.version_of(CHAMPION), "epoch": plan.epoch, "said": said}


def _done(plan: "TrafficPlan") -> dict[str, Any]:
    from registry.records.plan import CHAMPION

    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch} already"
    return {"champion": plan.version_of(CHAMPION), "epoch": plan.epoch, "said": said}


def _take_back(model: str, *, actor: str, reason: str, to: str | None, at: "datetime") -> dict[str, Any]:
    from flows.rollout.giveback import give_back
    from registry.records.plan import CHAMPION

    plan = give_back(settings(), model, actor=actor, reason=reason, to=to, at=at)
    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
    return {"champion": plan.version_of(CHAMPION), "epoch": plan.epoch, "said": said}


def _router_takes_back(
    model: str, away: StoreUnavailable, *, actor: str, reason: str, to: str | None
) -> dict[str, Any]:
    """The registry is away: the router still can."""
    from flows.client import RouterClient
    from registry.records.plan import CHAMPION

    try:
        with RouterClient(settings(), actor=actor) as client:
            plan = client.rollback(model, actor=actor, reason=reason, to=to)
    except Unreachable as error:
        what = f"{model} was not rolled back: neither the registry nor the router can be used."
        raise Unreachable(
            what, f"{away.what} {away.why}; {error.what} {error.why}", f"{error.mend} {away.mend}"
        ) from error
    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}, by the router alone"
    return {"champion": plan.version_of(CHAMPION), "epoch": plan.epoch, "said": said}


def _promotion(registry: "Registry", model: str, version: str) -> dict[str, Any]:
    """What `promote` would change."""
    from flows.cli.office import config_of
    from flows.rollout.begin import refuse_impossible
    from flows.rollout.machine import share_text
    from flows.rollout.strategies import configured_steps

    wanted, champion, active = (
        version_of(registry, model, version),
        registry.champion(model),
        registry.active_rollout(model),
    )
    if champion is None:
        return {"would": f"make {version} the first champion; it answers everybody at once", "stage": wanted.stage}
    if active is None or active.challenger != version:
        refuse_impossible(registry, model, version)
    config = config_of(model)
    steps = [share_text(step) for step in configured_steps(config)]
    return {
        "would": f"begin a rollout of {version} against {champion.version}",
        "stage": wanted.stage,
        "steps": " -> ".join(steps),
        "approval": config.promotion.require_approval,
        "goes on with": f"{active.id}, which is {active.status}" if active else None,
    }


def _return(registry: "Registry", model: str, to: str | None) -> dict[str, Any]:
    """What `rollback` would change."""
    champion, active = registry.champion(model), registry.active_rollout(model)
    if champion is None:
        raise NotFound(
            f"{model} was not rolled back.", "It has no champion.", f"Train one: `understudy train {model}`."
        )
    if to is not None:
        version_of(registry, model, to)
    target = registry.returning(model, to=to)
    end = f"end {active.id}, reject {active.challenger}, and " if active else ""
    would = (
        f"{end}give everybody to {target}" if target == champion.version else f"{end}bring {target} back to production"
    )
    return {"would": would, "champion now": champion.version}


def _show(title: str, done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        return print_json(done)
    return say(facts(title, done))
