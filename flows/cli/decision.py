"""`understudy decision`: verdicts, with the numbers behind every reason."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import meant, opened_registry, settings
from flows.cli.options import AnyModel, Json, example
from flows.cli.screen import facts, print_json, say, table
from flows.errors import DataError

if TYPE_CHECKING:
    from flows.comparison.cases import Again
    from registry.records.verdict import Decision
    from registry.store.registry import Registry

Id = Annotated[str, typer.Argument(help="Id of the decision, as listed.", metavar="ID", show_default=False)]

FINDING = 1

app = typer.Typer(no_args_is_help=False)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="decision", epilog=example("understudy decision show d-0001"))


@app.callback(invoke_without_command=True)
def decision(context: typer.Context, *, as_json: Json = False) -> None:
    """Show verdicts of comparisons, and their reports."""
    if context.invoked_subcommand is None:
        list_decisions(None, as_json=as_json)


@app.command("list", epilog=example("understudy decision list churn"))
def list_decisions(model: AnyModel = None, *, as_json: Json = False) -> None:
    """List decisions, newest first."""
    with opened_registry(model) as registry:
        decisions = registry.decisions(model)
    if as_json:
        return print_json(decisions)
    rows = [(d.id, d.created_at, d.model, d.challenger, d.champion, d.kind, d.outcome, d.headline) for d in decisions]
    columns = ("id", "at", "model", "challenger", "champion", "kind", "outcome", "headline")
    return say(table("Decisions", columns, rows))


@app.command(epilog=example("understudy decision show d-0001"))
def show(decision_id: Id, *, as_json: Json = False) -> None:
    """Show one decision."""
    with opened_registry() as registry:
        found = decision_of(registry, decision_id)
    if as_json:
        return print_json(found)
    return show_decision(found)


@app.command(epilog=example("understudy decision replay d-0001"))
def replay(decision_id: Id, *, as_json: Json = False) -> None:
    """Compute a decision again from its stored inputs; exit code 1 unless it comes out the same, byte for byte."""
    with opened_registry() as registry:
        stored = decision_of(registry, decision_id)
    again = _again(stored)
    if as_json:
        print_json({"id": stored.id, "same": again.same, "changed": again.changed, "decision": again.decision})
    else:
        said = "the same, byte for byte" if again.same else "not the same: " + "; ".join(again.changed)
        say(facts(stored.id, {"replayed": said, "outcome": again.decision.outcome, "digest": again.decision.digest()}))
    if not again.same:
        raise typer.Exit(FINDING)


def _again(stored: "Decision") -> "Again":
    """Computed anew; inputs that no decision can rest on were altered."""
    from flows.comparison.cases import recompute

    try:
        return recompute(settings(), stored)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"Decision {stored.id} cannot be computed again.",
            f"Its inputs are not what they were: {error}.",
            "They were altered: restore the folder from a backup of the state folder.",
        ) from error


def decision_of(registry: "Registry", name: str) -> "Decision":
    """
    Read one decision.

    Raises:
        NotFound: With the newest, and the one that was probably meant.
    """
    from registry.errors import NotFound

    try:
        return registry.decision(name)
    except NotFound as error:
        near = meant(name, (one.id for one in registry.decisions()))
        raise NotFound(error.what, error.why, f"{near}See `understudy decision list`.") from error


def show_decision(found: "Decision") -> None:
    """Headline, findings, metrics, and where the report is."""
    report = str(settings().reports_dir / found.report) if found.report else None
    about = f"{found.model} {found.challenger} against {found.champion} ({found.kind})"
    say(facts(found.id, {"about": about, "outcome": found.outcome, "headline": found.headline, "report": report}))
    rows = [(f.name, f.passed, f.estimate, f.low, f.high, f.p_value, f.n, f.said) for f in found.findings]
    say(table("Findings", ("finding", "passed", "estimate", "low", "high", "p", "n", "said"), rows))
    if found.metrics:
        say(table("Metrics", ("of", "values"), found.metrics.items()))
