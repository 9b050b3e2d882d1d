"""`understudy rollout`: how a challenger takes the stage."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import wishes
from flows.cli.office import config_of, look_soon, opened_registry, settings, version_of
from flows.cli.options import Actor, AnyModel, AsOf, DryRun, Json, Limit, Model, Reason, example, moment
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from datetime import datetime

    from flows.cli.standing import Known, Seen
    from registry.records.live import ModelMetrics
    from registry.records.rollout import Rollout
    from registry.records.watch import Watch
    from registry.steering import Steered
    from registry.store.registry import Registry

app = typer.Typer(no_args_is_help=True)
PATIENCE_S = 5.0  # a status that takes longer helps nobody


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="rollout", epilog=example("understudy rollout status churn"))


@app.callback()
def rollout() -> None:
    """Start, watch, hold or end the rollout of a challenger."""


@app.command(
    epilog=example(
        'understudy rollout start churn v1.2.0 --reason "quarterly refresh"',
        "understudy rollout start churn --steps '10%:1d,50%:2d,100%:0s' --reason refresh --dry-run",
        'understudy rollout start churn --strategy canary --speed 1440 --reason "a day takes a minute"',
    )
)
def start(
    model: Model,
    version: Annotated[
        str | None,
        typer.Argument(help="Challenger; the newest in staging if absent.", metavar="VERSION", show_default=False),
    ] = None,
    *,
    reason: Reason,
    actor: Actor,
    strategy: wishes.Strategy = None,
    steps: wishes.Steps = None,
    speed: wishes.Speed = None,
    decision: Annotated[str | None, typer.Option(help="Decision that speaks for it.")] = None,
    dry_run: DryRun = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask a person at a terminal whether to begin.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Begin a rollout; the next tick makes its first move. A version that was never validated is validated first."""
    from flows.cli.decision import decision_of
    from flows.cli.rehearsal import foreseen
    from flows.rollout.begin import begin_rollout, refuse_impossible
    from flows.validation.registered import ensure_validated

    config = wishes.wished(config_of(model), strategy=strategy, steps=steps, speed=speed)
    at = moment(as_of)
    with opened_registry(model) as registry:
        wanted = version_of(registry, model, version or _newest_in_staging(registry, model))
        speaks = decision_of(registry, decision) if decision else None
        refuse_impossible(registry, model, wanted.version)
        asks = _asks(yes=yes or as_json)
        if dry_run or asks:
            _show_foreseen(*foreseen(config, version=wanted.version, decision=speaks, at=at), as_json=as_json)
            if dry_run or not typer.confirm("Begin?"):
                return
        ensure_validated(config, settings(), registry, wanted, actor=actor, at=at)
        begun = begin_rollout(
            config,
            registry,
            model=model,
            challenger=wanted.version,
            decision=speaks,
            actor=actor,
            reason=reason,
            at=at,
        )
    look_soon(model, as_of)
    print_json([begun]) if as_json else _list([begun])


def _asks(*, yes: bool) -> bool:
    """Only where a person sits: a script has decided already."""
    import sys

    return not yes and sys.stdin.isatty() and sys.stdout.isatty()


def _newest_in_staging(registry: "Registry", model: str) -> str:
    from registry.errors import NotFound

    found = registry.versions(model, "staging")
    if not found:
        why = "No version is in staging."
        mend = f"Name one of `understudy models list {model}`, or train one: `understudy train {model}`."
        raise NotFound(f"No rollout of {model} was begun.", why, mend)
    return found[0].version


def _show_foreseen(plan: "Rollout", notes: list[str], *, as_json: bool) -> None:
    from flows.cli.stages import show_foreseen

    if as_json:
        return print_json({"rollout": plan, "notes": notes, "begun": False})
    return show_foreseen(plan, asks=plan.policy.require_approval or plan.status == "waiting_approval", notes=notes)


@app.command(epilog=example("understudy rollout status churn", "understudy rollout status --all --json"))
def status(
    model: AnyModel = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="List also those that have ended.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show where the active rollout of a model stands; without a model, list those that are active."""
    with opened_registry(model) as registry:
        found = registry.rollouts(model)
        active = [one for one in found if one.active]
        if as_json:
            return print_json(
                [_document(registry, one, moment(as_of)) for one in (found if every else active or found[:1])]
            )
        if every or model is None or not found:
            return _list(found if every else active, ended=len(found))
        return _show(registry, (active or found)[0], moment(as_of))


def _document(registry: "Registry", one: "Rollout", at: "datetime") -> dict[str, object]:
    """The rollout as it is stored; of an active one also where it stands."""
    from flows.cli.screen import plain

    document: dict[str, object] = plain(one)
    if one.active:
        known, seen = _standing(registry, one, at)
        document["standing"] = plain(
            {
                "baked_s": known.baked_s,
                "next_s": known.next_s,
                "asked": known.asked,
                "seen": seen,
                "epoch": known.plan.epoch if known.plan else None,
            }
        )
    return document


def _show(registry: "Registry", one: "Rollout", at: "datetime") -> None:
    from flows.cli.stages import show_standing

    known, seen = _standing(registry, one, at)
    show_standing(known, seen)


def _standing(registry: "Registry", one: "Rollout", at: "datetime") -> "tuple[Known, Seen | None]":
    """A router that is away takes nothing from what the registry knows."""
    from flows.cli.standing import Seen, known, seen
    from flows.client import RouterClient
    from flows.config.load import registered_config
    from registry.errors import Refusal

    found = known(registry, one, at)
    if not one.active or one.step < 0:
        return found, None
    try:
        with RouterClient(settings(), timeout=PATIENCE_S) as client:
            metrics = client.metrics(one.model, min_label_age=one.policy.min_label_age_s)
        return found, seen(one, metrics, registered_config(one.model, settings()), at)
    except Refusal as away:
        return found, Seen(trouble=f"{away.what} {away.why}")


@app.command(epilog=example("understudy rollout history churn --limit 5"))
def history(model: AnyModel = None, *, limit: Limit = 20, as_json: Json = False) -> None:
    """List rollouts, newest first, with how every step of theirs, and the watch after them, ended."""
    with opened_registry(model) as registry:
        found, watches = registry.rollouts(model)[:limit], registry.watches(model)
    if as_json:
        return print_json(found)
    if not found:
        return say("There is no rollout yet.")
    _list(found)
    rows = [
        (one.id, end.step + 1, _percent(end.share), end.outcome, end.by, end.began_at, end.ended_at, end.said)
        for one in found
        for end in one.results
    ]
    columns = ("rollout", "step", "share", "outcome", "by", "began", "ended", "said")
    if rows:
        say(table("Steps", columns, rows))
    return _list_watches([one for one in watches if one.rollout_id in {rollout.id for rollout in found}])


def _list_watches(watches: "list[Watch]") -> None:
    rows = [(one.rollout_id, one.id, one.version, one.status.replace("_", " "), one.until, one.said) for one in watches]
    if rows:
        say(table("Watches", ("rollout", "watch", "version", "status", "until", "said"), rows))


def _percent(share: int) -> str:
    from flows.cli.stages import percent

    return percent(share)


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
def pause(model: Model, *, reason: Reason, actor: Actor, as_of: AsOf = None, as_json: Json = False) -> None:
    """Hold the rollout where it is: no time counts as its stay, and guards stay active."""
    from registry.steering import pause as hold

    with opened_registry(model) as registry:
        done = hold(registry, model, actor=actor, reason=reason, at=moment(as_of))
    look_soon(model, as_of)
    _show_steered(done, as_json=as_json)


@app.command(epilog=example('understudy rollout resume churn --reason "over"'))
def resume(model: Model, *, reason: Reason, actor: Actor, as_of: AsOf = None, as_json: Json = False) -> None:
    """Let a paused rollout go on where it was."""
    from registry.steering import resume as go_on

    with opened_registry(model) as registry:
        done = go_on(registry, model, actor=actor, reason=reason, at=moment(as_of))
    look_soon(model, as_of)
    _show_steered(done, as_json=as_json)


@app.command(epilog=example('understudy rollout advance churn --reason "seen enough"'))
def advance(
    model: Model, *, reason: Reason, actor: Actor, dry_run: DryRun = False, as_of: AsOf = None, as_json: Json = False
) -> None:
    """Take the next step without waiting for a verdict; people who must agree must have agreed all the same."""
    from flows.cli.rehearsal import Rehearsal
    from registry.steering import skip

    at = moment(as_of)
    with opened_registry(model) as real:
        metrics = None if dry_run else _counted(real.active_rollout(model))
        with Rehearsal.open(settings().registry_url) as rehearsal:
            done = skip(rehearsal if dry_run else real, model, actor=actor, reason=reason, at=at, metrics=metrics)
    if not dry_run:
        look_soon(model, as_of)
    _show_steered(done, as_json=as_json, dry_run=dry_run)


def _counted(one: "Rollout | None") -> "ModelMetrics | None":
    """What the router counted, for the watch after a promotion; a router that is away keeps nobody from moving."""
    from flows.client import RouterClient
    from registry.errors import Refusal

    try:
        with RouterClient(settings(), timeout=PATIENCE_S) as client:
            return None if one is None else client.metrics(one.model)
    except Refusal:
        return None


@app.command(epilog=example('understudy rollout abort churn --reason "no longer wanted"'))
def abort(
    model: Model, *, reason: Reason, actor: Actor, dry_run: DryRun = False, as_of: AsOf = None, as_json: Json = False
) -> None:
    """End the active rollout; the champion answers everybody, and the challenger goes back to staging."""
    from flows.cli.rehearsal import Rehearsal
    from registry.steering import abort as end

    with opened_registry(model) as real, Rehearsal.open(settings().registry_url) as rehearsal:
        done = end(rehearsal if dry_run else real, model, actor=actor, reason=reason, at=moment(as_of))
    if not dry_run:
        look_soon(model, as_of)
    _show_steered(done, as_json=as_json, dry_run=dry_run)


def _known(model: str) -> None:
    with opened_registry(model):
        pass


def _list(found: "list[Rollout]", *, ended: int = 0) -> None:
    rows = [
        (
            r.id,
            r.model,
            r.challenger,
            r.champion,
            r.strategy,
            r.status.replace("_", " "),
            step_text(r),
            r.created_at,
            r.said,
        )
        for r in found
    ]
    columns = ("id", "model", "challenger", "champion", "strategy", "status", "step", "since", "said")
    if rows:
        return say(table("Rollouts", columns, rows))
    past = f" {ended} have ended: `understudy rollout status --all` lists them." if ended else ""
    return say(f"No rollout is active.{past}" if ended else "There is no rollout yet.")


def step_text(found: "Rollout") -> str:
    """Where it stands, as people say it."""
    from flows.rollout.machine import share_now

    steps = len(found.steps)
    return f"{found.step + 1} of {steps}: {share_now(found)}" if found.step >= 0 else f"0 of {steps}"


def _show_steered(done: "Steered", *, as_json: bool, dry_run: bool = False) -> None:
    from flows.cli.screen import text
    from flows.cli.traffic import split_of

    rollout, plan = done
    if as_json:
        return print_json({"rollout": rollout, "plan": plan, "dry_run": dry_run})
    held = ", held" if plan.paused else ""
    where = f"{rollout.id} is {rollout.status.replace('_', ' ')}, step {step_text(rollout)}"
    said = f"{where}; plan {plan.epoch}: {text(split_of(plan))}{held}"
    return say(f"Nothing was changed. It would be: {said}" if dry_run else said)
