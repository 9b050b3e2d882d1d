"""`understudy events`: the retraining log, and four questions to it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from flows.cli.office import opened_registry
from flows.cli.options import AnyModel, AsOf, Json, Limit, example, moment
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.records.retraining import RetrainingEvent

WEEK = timedelta(days=7)
app = typer.Typer(no_args_is_help=False)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="events", epilog=example("understudy events week churn"))


@app.callback(invoke_without_command=True)
def events(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what triggered retrainings, and what came of them; without a question: all, newest first."""
    if context.invoked_subcommand is None:
        list_events(None, as_json=as_json)


@app.command("list", epilog=example("understudy events list churn --limit 20"))
def list_events(model: AnyModel = None, *, limit: Limit = 100, as_json: Json = False) -> None:
    """List events, newest first."""
    with opened_registry(model) as registry:
        found = registry.retraining_events(model, limit=limit)
    if as_json:
        return print_json(found)
    rows = [
        (e.id, e.model, e.triggered_at, e.trigger_type, e.severity, outcome(e), e.retrained_version, e.trigger_reason)
        for e in found
    ]
    columns = ("id", "model", "at", "trigger", "severity", "outcome", "version", "reason")
    if not rows:
        return say("No retraining was ever asked for.")
    return say(table("Retraining events", columns, rows))


@app.command("log", epilog=example("understudy events log churn --limit 20"))
def show_log(model: AnyModel = None, *, limit: Limit = 100, as_json: Json = False) -> None:
    """Show the retraining log: times, data, version, metrics beside the champion's, status and notes."""
    from flows.reports.versions.difference import headline
    from flows.training.log import retraining_log

    with opened_registry(model) as registry:
        found = retraining_log(registry, model, limit)
    if as_json:
        return print_json(found)
    if not found:
        return say("No retraining was ever asked for.")
    names = found[0].__struct_fields__
    shown = [[getattr(one, name) for name in names] for one in found]
    rows = [[headline(value) if isinstance(value, dict) else value for value in row] for row in shown]
    return say(table("Retraining log", [name.replace("_", " ") for name in names], rows))


@app.command(epilog=example("understudy events week churn --json"))
def week(model: AnyModel = None, *, as_of: AsOf = None, as_json: Json = False) -> None:
    """Show the last 7 days: time, severity, type, success, improvement."""
    since = moment(as_of) - WEEK
    with opened_registry(model) as registry:
        found = registry.retraining_events(model, since=since)
    if as_json:
        return print_json(found)
    rows = [(e.triggered_at, e.severity, e.trigger_type, e.execution_successful, improvement(e)) for e in found]
    return say(table("The last 7 days", ("at", "severity", "trigger", "successful", "improvement"), rows))


@app.command(epilog=example("understudy events frequency"))
def frequency(model: AnyModel = None, *, as_json: Json = False) -> None:
    """Count events by what triggered them, with the share that succeeded."""
    with opened_registry(model) as registry:
        found = registry.retraining_frequency(model)
    if as_json:
        return print_json(found)
    columns = ("trigger_type", "count", "attempted", "successful", "success_rate")
    return say(table("By trigger", columns, [_counted(row, columns) for row in found]))


def _counted(row: "Mapping[str, object]", columns: "Sequence[str]") -> list[object]:
    share = row["success_rate"]
    return [*(row[name] for name in columns[:-1]), f"{share:.0%}" if isinstance(share, float) else share]


@app.command(epilog=example("understudy events improvements churn"))
def improvements(model: AnyModel = None, *, as_json: Json = False) -> None:
    """Show what successful retrainings gained, in percent, newest first."""
    with opened_registry(model) as registry:
        found = registry.retraining_improvements(model)
    if as_json:
        return print_json(found)
    columns = ("at", "model", "version", "trigger", "R2", "RMSE", "accuracy")
    return say(table("Improvements in percent", columns, [_gained(row) for row in found]))


def _gained(row: "Mapping[str, Any]") -> list[object]:
    gains = (row[f"improvement_{name}"] for name in ("r2", "rmse", "accuracy"))
    at = str(row["triggered_at"])[:16].replace("T", " ")
    named = at, row["model"], row["retrained_version"], row["trigger_type"]
    return [*named, *("-" if gain is None else f"{gain:+.1f} %" for gain in gains)]


def outcome(event: "RetrainingEvent") -> str:
    """Say in a word or two what came of it."""
    if event.execution_successful is not None:
        return "successful" if event.execution_successful else f"failed: {event.notes}"
    return "running" if event.execution_attempted else "waiting"


def improvement(event: "RetrainingEvent") -> dict[str, str]:
    """Percent by metric, those that are known."""
    gains = {"r2": event.improvement_r2, "rmse": event.improvement_rmse, "accuracy": event.improvement_accuracy}
    return {name: f"{gain:+.1f} %" for name, gain in gains.items() if gain is not None}
