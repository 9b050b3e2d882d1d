"""`understudy audit`: who did what, and whether the trail is intact."""

import typer

from flows.cli.office import opened_registry
from flows.cli.options import AnyModel, Json, Limit, example
from flows.cli.screen import print_json, say, table

FINDING = 1
app = typer.Typer(no_args_is_help=False)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="audit", epilog=example("understudy audit verify"))


@app.callback(invoke_without_command=True)
def audit(context: typer.Context, *, as_json: Json = False) -> None:
    """Show who did what to which model, why and when."""
    if context.invoked_subcommand is None:
        list_entries(None, as_json=as_json)


@app.command("list", epilog=example("understudy audit list churn --limit 50"))
def list_entries(model: AnyModel = None, *, limit: Limit = 50, as_json: Json = False) -> None:
    """List entries, newest first."""
    with opened_registry(model) as registry:
        entries = registry.audit(model, limit=limit)
    if as_json:
        return print_json(entries)
    rows = [(e.sequence, e.at, e.actor, e.action, e.model, e.subject, e.reason) for e in entries]
    return say(table("Audit trail", ("#", "at", "actor", "action", "model", "subject", "reason"), rows))


@app.command(epilog=example("understudy audit verify"))
def verify(*, as_json: Json = False) -> None:
    """Check the hash chain; exit code 1 if anything was altered or removed."""
    with opened_registry() as registry:
        findings = registry.verify_audit()
    if as_json:
        print_json({"intact": not findings, "findings": findings})
    else:
        say(*findings) if findings else say("The audit trail is intact.")
    if findings:
        raise typer.Exit(FINDING)
