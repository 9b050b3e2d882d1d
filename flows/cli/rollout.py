"""`understudy rollout`: how a challenger takes the stage."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import config_of, opened_registry, settings, version_of
from flows.cli.options import Actor, AnyModel, AsOf, Json, Model, Reason, Version, example, moment
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from registry.records.plan import TrafficPlan
    from registry.records.rollout import Rollout

app = typer.Typer(no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="rollout", epilog=example("understudy rollout status churn"))


@app.callback()
def rollout() -> None:
    """Start, watch, hold or end the rollout of a challenger."""


@app.command(epilog=example('understudy rollout start churn v1.2.0 --reason "quarterly refresh"'))
def start(
    model: Model,
    version: Version,
    *,
    reason: Reason,
    actor: Actor,
    decision: Annotated[str | None, typer.Option(help="Decision that speaks for it.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Begin a rollout; the next tick makes its first move. A version that was never validated is validated first."""
    from flows.cli.decision import decision_of
    from flows.rollout.begin import begin_rollout, refuse_impossible
    from flows.validation.registered import ensure_validated

    config, at = config_of(model), moment(as_of)
    with opened_registry(model) as registry:
        wanted = version_of(registry, model, version)
        speaks = decision_of(registry, decision) if decision else None
        refuse_impossible(registry, model, version)
        ensure_validated(config, settings(), registry, wanted, actor=actor, at=at)
        begun = begin_rollout(
            config, registry, model=model, challenger=version, decision=speaks, actor=actor, reason=reason, at=at
        )
    _show([begun], as_json=as_json)


@app.command(epilog=example("understudy rollout status churn"))
def status(model: AnyModel = None, *, as_json: Json = False) -> None:
    """List rollouts, newest first."""
    with opened_registry(model) as registry:
        found = registry.rollouts(model)
    _show(found, as_json=as_json)


@app.command(epilog=example("understudy rollout tick churn"))
def tick(model: Model, *, as_of: AsOf = None, as_json: Json = False) -> None:
    """Look now instead of waiting for the schedule; moves by at most one step."""
    from flows.rollout.desk import opened
    from flows.rollout.rollout import heartbeat

    _known(model)
    with opened(settings()) as desk:
        move = heartbeat(desk, model, moment(as_of))
    print_json(move) if as_json else say(f"{move.kind}: {move.said}")


@app.command(epilog=example('understudy rollout pause churn --reason "black friday"'))
def pause(model: Model, *, reason: Reason, actor: Actor, as_json: Json = False) -> None:
    """Hold the ramp where it is; guards stay active."""
    from flows.client import RouterClient

    _known(model)
    with RouterClient(settings(), actor=actor) as client:
        _show_plan(client.pause(model, actor=actor, reason=reason), as_json=as_json)


@app.command(epilog=example('understudy rollout resume churn --reason "over"'))
def resume(model: Model, *, reason: Reason, actor: Actor, as_json: Json = False) -> None:
    """Let a paused ramp go on."""
    from flows.client import RouterClient

    _known(model)
    with RouterClient(settings(), actor=actor) as client:
        _show_plan(client.resume(model, actor=actor, reason=reason), as_json=as_json)


@app.command(epilog=example('understudy rollout abort churn --reason "no longer wanted"'))
def abort(model: Model, *, reason: Reason, actor: Actor, as_of: AsOf = None, as_json: Json = False) -> None:
    """End the active rollout; the champion answers everybody, and the challenger is rejected."""
    from registry.errors import NotFound

    with opened_registry(model) as registry:
        active = registry.active_rollout(model)
        if active is None:
            raise NotFound(
                "Nothing was aborted.", f"{model!r} has no active rollout.", "See `understudy rollout status`."
            )
        plan = registry.roll_back(model, actor=actor, reason=f"aborted: {reason}", at=moment(as_of))
    _show_plan(plan, as_json=as_json)


def _known(model: str) -> None:
    with opened_registry(model):
        pass


def _show(found: "list[Rollout]", *, as_json: bool) -> None:
    if as_json:
        return print_json(found)
    rows = [(r.id, r.model, r.challenger, r.champion, r.status, step_text(r), r.created_at, r.said) for r in found]
    columns = ("id", "model", "challenger", "champion", "status", "step", "since", "said")
    return say(table("Rollouts", columns, rows) if rows else "There is no rollout yet.")


def step_text(found: "Rollout") -> str:
    """Where it stands, as people say it."""
    from flows.rollout.machine import share_text

    steps = len(found.steps)
    return f"{found.step + 1} of {steps}: {share_text(found.steps[found.step])}" if found.step >= 0 else f"0 of {steps}"


def _show_plan(plan: "TrafficPlan", *, as_json: bool) -> None:
    from flows.cli.screen import text
    from flows.cli.traffic import split_of

    if as_json:
        return print_json(plan)
    held = ", ramp held" if plan.paused else ""
    return say(f"{plan.model}: plan {plan.epoch}, {text(split_of(plan))}{held}")
