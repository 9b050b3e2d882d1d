"""`understudy approve`: say whether a challenger may go on."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import look_soon, opened_registry, settings
from flows.cli.options import Actor, AsOf, Json, Model, example, moment
from flows.cli.screen import facts, print_json, say, table
from flows.errors import ConfigError
from registry.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.table import Table

    from flows.rollout.gate.checklist import Point
    from registry.records.gate import GateState
    from registry.records.rollout import Rollout
    from registry.store.registry import Registry


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "understudy approve churn --show",
            'understudy approve churn --role ml_lead --reason "read the report"',
            'understudy approve churn --role business_owner --reject --reason "not before the holidays"',
        )
    )(approve)


def approve(
    model: Model,
    *,
    role: Annotated[
        str | None, typer.Option(help="As what you sign, e.g. ml_lead; each role takes another person.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why, in 5 characters or more; written into the audit trail.")
    ] = None,
    actor: Actor,
    reject: Annotated[bool, typer.Option("--reject", help="Say no: the rollout ends, the champion stays.")] = False,
    digest: Annotated[
        str | None, typer.Option(help="What you have read, as --show names it; a changed report is refused.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the question and the checklist, and sign nothing.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Agree, or not, that the challenger of the active rollout may go on."""
    with opened_registry(model) as registry:
        rollout = _active(registry, model)
        if show:
            return _show(registry, rollout, as_json=as_json)
        if role is None or reason is None:
            raise _incomplete(rollout, role, reason)
        state = registry.sign(
            rollout.id,
            actor=actor,
            role=role,
            reason=reason,
            at=_moment(registry, rollout, as_of),
            answer="reject" if reject else "approve",
            digest=digest,
            via="command line",
        )
    if state.complete:
        look_soon(model, as_of)
    if as_json:
        return print_json(
            {"rollout": state.rollout, "status": state.status, "approved": state.complete, "missing": state.missing}
        )
    return say(_said(state, actor, role, reject=reject))


def _said(state: "GateState", actor: str, role: str, *, reject: bool) -> str:
    if reject:
        return f"{actor} said no to {state.rollout} as {role}: it has ended, {state.champion} stays the champion."
    rest = ", ".join(state.missing) or "another person"
    on = "once it is resumed" if state.status == "paused" else "with the next look"
    follows = f"it goes on {on}" if state.complete else f"still missing: {rest}"
    return f"{actor} agreed to {state.rollout} as {role}; {follows}."


def _active(registry: "Registry", model: str) -> "Rollout":
    rollout = registry.active_rollout(model)
    if rollout is None:
        what, why = "Nothing was approved.", f"{model!r} has no active rollout."
        raise NotFound(what, why, "See `understudy rollout status`.")
    return rollout


def _moment(registry: "Registry", rollout: "Rollout", as_of: str | None) -> "datetime":
    """On the model's clock: in a replay, that of the last look."""
    from flows.client.clock import lives_in_another_time

    if as_of is None and lives_in_another_time(settings(), rollout.model):
        pulse = registry.pulse_of(rollout.id)
        return pulse.at if pulse is not None else rollout.step_started_at
    return moment(as_of)


def _incomplete(rollout: "Rollout", role: str | None, reason: str | None) -> ConfigError:
    missing = [name for name, value in (("--role", role), ("--reason", reason)) if value is None]
    what = f"Nothing was approved: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
    why = f"{rollout.id} asks {' and '.join(rollout.gate.roles)}, and keeps why."
    return ConfigError(what, why, f"Look first: `understudy approve {rollout.model} --show`.")


def _show(registry: "Registry", rollout: "Rollout", *, as_json: bool) -> None:
    from flows.rollout.gate.collect import points, shown_decision
    from flows.rollout.gate.page import outcome_of_yes, title

    state, found = registry.gate(rollout.id), points(settings(), registry, rollout)
    if as_json:
        listed = [{"name": one.name, "done": one.done, "evidence": one.evidence} for one in found]
        return print_json({"gate": state, "checklist": listed})
    decision = shown_decision(registry, rollout)
    report = settings().reports_dir / decision.report if decision and decision.report else None
    told = {
        "asked": f"{title(rollout, state)} {state.said}",
        "verdict": f"{decision.outcome}: {decision.headline}" if decision else "none; a person wants it",
        "report": report,
        "if all say yes": outcome_of_yes(rollout, state),
        "if one says no": f"the rollout ends, {rollout.champion} stays the champion",
        "until": state.expires_at,
        "digest": state.bound_to[:16],
    }
    return say(facts(f"{rollout.model}: {rollout.id}, {rollout.challenger}", told), _people(state), _checklist(found))


def _people(state: "GateState") -> "Table":
    by = {one.role: one for one in state.signed}
    rows = [
        (role, ", ".join(state.approvers.get(role, ())) or "anybody", by[role].actor if role in by else None)
        for role in state.roles
    ]
    stale = [(one.role, f"given for another report: {one.bound_to[:16]}", f"({one.actor})") for one in state.stale]
    return table("Who signs", ("role", "may sign", "signed"), [*rows, *stale])


def _checklist(found: "Sequence[Point]") -> "Table":
    rows = [(n, p.name, p.answer, p.evidence) for n, p in enumerate(found, 1)]
    return table("Checklist", ("", "point", "done", "evidence"), rows)
