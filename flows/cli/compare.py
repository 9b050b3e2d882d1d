"""`understudy compare`: two registered versions on the newest labelled rows."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import opened_registry, run_flow, version_of
from flows.cli.options import AsOf, Json, Model, example, moment
from flows.cli.screen import print_json
from flows.errors import ConfigError

if TYPE_CHECKING:
    from registry.store.registry import Registry

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
        _refuse_impossible(registry, model, challenger, champion)
    done = run_flow("flows.comparison.compare.compare", model=model, challenger=challenger, champion=champion, as_of=at)
    found = msgspec.convert(done, Decision)
    print_json(found) if as_json else show_decision(found)
    if found.outcome != "promote":
        raise typer.Exit(FINDING)


def _refuse_impossible(registry: "Registry", model: str, challenger: str | None, champion: str | None) -> None:
    """Before a flow is run for nothing."""
    from registry.errors import NotFound

    for version in filter(None, (challenger, champion)):
        version_of(registry, model, version)
    what, versions, installed = "Nothing was compared.", registry.versions(model), registry.champion(model)
    if installed is None and champion is None:
        raise NotFound(what, f"{model} has no champion.", f"Train one: `understudy train {model}`.")
    if challenger is None and all(one.stage == "production" for one in versions):
        raise NotFound(what, f"{model} has no version but its champion.", f"Train one: `understudy train {model}`.")
    ours = champion or (installed.version if installed else None)
    if challenger is not None and challenger == ours:
        others = ", ".join(one.version for one in versions if one.version != ours) or "none"
        why = f"{challenger} is the champion and the challenger; other versions of {model}: {others}."
        raise ConfigError(what, why, "Name two versions, by --challenger and --champion.")
