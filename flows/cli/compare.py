"""`understudy compare`: two registered versions on the newest labelled rows."""

from typing import Annotated

import typer

from flows.cli.office import run_flow
from flows.cli.options import AsOf, Json, Model, example, moment
from flows.cli.screen import print_json, say

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
    found = run_flow(
        "flows.comparison.compare.compare",
        model=model,
        challenger=challenger,
        champion=champion,
        as_of=moment(as_of) if as_of else None,
    )
    print_json(found) if as_json else say(found)
