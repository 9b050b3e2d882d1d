"""`understudy incidents`: what was rolled back, why, and who was harmed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import meant, opened_registry, settings
from flows.cli.options import AnyModel, Json, Limit, example
from flows.cli.screen import facts, print_json, say, table

if TYPE_CHECKING:
    from flows.client import RouterClient
    from registry.home import Settings
    from registry.records.incident import Incident
    from registry.store.registry import Registry

PATIENCE_S = 5.0
app = typer.Typer(no_args_is_help=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a report is read from."""

    settings: "Settings"
    registry: "Registry"
    client: "RouterClient"


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="incidents", epilog=example("understudy incidents list churn"))


@app.callback(invoke_without_command=True)
def incidents(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what was rolled back, by whom and why; without a question: all, newest first."""
    if context.invoked_subcommand is None:
        list_incidents(None, as_json=as_json)


@app.command("list", epilog=example("understudy incidents list churn --limit 5"))
def list_incidents(model: AnyModel = None, *, limit: Limit = 20, as_json: Json = False) -> None:
    """List incidents, newest first."""
    with opened_registry(model) as registry:
        found = registry.incidents(model)[:limit]
    if as_json:
        return print_json(found)
    rows = [(i.id, i.model, i.at, i.kind, i.version, i.restored, i.actor, i.cause) for i in found]
    columns = ("id", "model", "at", "by", "taken off", "brought back", "actor", "cause")
    return say(table("Incidents", columns, rows) if rows else "Nothing was ever rolled back.")


@app.command(epilog=example("understudy incidents show i-0003", "understudy incidents show i-0003 --full"))
def show(
    incident: Annotated[str, typer.Argument(help="An incident, e.g. i-0003.", metavar="INCIDENT", show_default=False)],
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Print the whole report: harm, tests, what happened when.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one incident, and where its report is."""
    with opened_registry() as registry:
        found = _one(registry, incident)
        report = _report(registry, found) if full else None
    path = _path(found)
    if as_json:
        return print_json({"incident": found, "report": path, "markdown": report})
    if report is not None:
        return typer.echo(report.rstrip())
    values: dict[str, object] = {
        "cause": found.cause,
        "taken off": found.version,
        "brought back": found.restored,
        "by": f"{found.kind}: {found.actor}",
        "at": found.at,
        "rollout": found.rollout_id,
        "plan": found.epoch,
        **{name: value for name, value in found.facts.items() if value not in (None, [], {}, "")},
        "report": path or f"not written yet; `understudy incidents show {found.id} --full` prints it",
    }
    return say(facts(f"{found.model}: {found.id}", values))


def _one(registry: "Registry", name: str) -> "Incident":
    from registry.errors import NotFound

    try:
        return registry.incident(name)
    except NotFound as error:
        near = meant(name, (one.id for one in registry.incidents()))
        raise NotFound(error.what, error.why, near + error.mend) from error


def _path(found: "Incident") -> str | None:
    from flows.reports.incidents.write import incident_file

    file = incident_file(settings(), found)
    return str(file) if file.exists() else None


def _report(registry: "Registry", found: "Incident") -> str:
    """Gather it now; a router that is away leaves its counts out."""
    from flows.client import RouterClient
    from flows.reports.incidents.gather import gather
    from flows.reports.incidents.page import incident_markdown

    with RouterClient(settings(), timeout=PATIENCE_S) as client:
        return incident_markdown(gather(Desk(settings=settings(), registry=registry, client=client), found))
