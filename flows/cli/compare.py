"""`understudy compare`: two registered versions on the newest labelled rows."""

from typing import Annotated

import typer

from flows.cli.office import opened_registry, run_flow, version_of
from flows.cli.options import AsOf, Json, Model, example, moment
from flows.cli.screen import print_json

FINDING = 1


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy compare churn --challenger v1.2.0"))(compare)


def compare(
    model: Model,
    *,
    challenger: Annotated[str | None, typer.Option(help="The newest other version if absent.")] = None,
    champion: Annotated[str | None, typer.Option(help="The version in production if absent.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Test two versions on the same newest labelled rows; exit code 1 unless the challenger should be promoted."""
    import msgspec

    from flows.cli.decision import show_decision
    from registry.records.verdict import Decision

    at = moment(as_of) if as_of else None
    with opened_registry(model) as registry:
        for version in filter(None, (challenger, champion)):
            version_of(registry, model, version)
    done = run_flow("flows.comparison.compare.compare", model=model, challenger=challenger, champion=champion, as_of=at)
    found = msgspec.convert(done, Decision)
    print_json(found) if as_json else show_decision(found)
    if found.outcome != "promote":
        raise typer.Exit(FINDING)
