"""`understudy events`: the retraining log, and four questions to it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.office import opened_registry
from flows.cli.options import AnyModel, AsOf, Json, Limit, example, moment
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from registry.records.retraining import RetrainingEvent
    from registry.store.registry import Registry

Question = Literal["all", "week", "frequency", "improvements"]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy events churn --show frequency"))(events)


def events(
    model: AnyModel = None,
    *,
    show: Annotated[
        Question,
        typer.Option(
            help="all: newest first; week: the last 7 days; frequency: count and success rate by trigger; "
            "improvements: what successful retrainings gained."
        ),
    ] = "all",
    limit: Limit = 100,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show the retraining log."""
    now = moment(as_of)
    with opened_registry(model) as registry:
        if show == "frequency":
            return _frequency(registry, model, as_json=as_json)
        if show == "improvements":
            return _improvements(registry, model, as_json=as_json)
        since = now - timedelta(days=7) if show == "week" else None
        found = registry.retraining_events(model, since=since, limit=limit)
    if as_json:
        return print_json(found)
    return _week(found) if show == "week" else _all(found)


def _all(found: "list[RetrainingEvent]") -> None:
    rows = [
        (e.id, e.model, e.triggered_at, e.trigger_type, e.severity, outcome(e), e.retrained_version, e.trigger_reason)
        for e in found
    ]
    columns = ("id", "model", "at", "trigger", "severity", "outcome", "version", "reason")
    say(table("Retraining events", columns, rows))


def _week(found: "list[RetrainingEvent]") -> None:
    rows = [(e.triggered_at, e.severity, e.trigger_type, e.execution_successful, improvement(e)) for e in found]
    say(table("The last 7 days", ("at", "severity", "trigger", "successful", "improvement"), rows))


def _frequency(registry: "Registry", model: str | None, *, as_json: bool) -> None:
    found = registry.retraining_frequency(model)
    if as_json:
        return print_json(found)
    columns = ("trigger_type", "count", "attempted", "successful", "success_rate")
    return say(table("By trigger", columns, [[row[name] for name in columns] for row in found]))


def _improvements(registry: "Registry", model: str | None, *, as_json: bool) -> None:
    found = registry.retraining_improvements(model)
    if as_json:
        return print_json(found)
    gains = ("improvement_r2", "improvement_rmse", "improvement_accuracy")
    columns = ("triggered_at", "model", "retrained_version", "trigger_type", *gains)
    return say(table("Improvements in percent", columns, [[row[name] for name in columns] for row in found]))


def outcome(event: "RetrainingEvent") -> str:
    """Say in a word or two what came of it."""
    if event.execution_successful is not None:
        return "successful" if event.execution_successful else f"failed: {event.notes}"
    return "running" if event.execution_attempted else "waiting"


def improvement(event: "RetrainingEvent") -> dict[str, str]:
    """Percent by metric, those that are known."""
    gains = {"r2": event.improvement_r2, "rmse": event.improvement_rmse, "accuracy": event.improvement_accuracy}
    return {name: f"{gain:+.1f} %" for name, gain in gains.items() if gain is not None}
