"""`understudy models`: versions and their stages."""

import typer

from flows.cli.office import opened_registry, version_of
from flows.cli.options import AnyModel, Json, Model, Version, example
from flows.cli.screen import facts, print_json, say, table

app = typer.Typer(no_args_is_help=False)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="models", epilog=example("understudy models show churn v1.2.0"))


@app.callback(invoke_without_command=True)
def models(context: typer.Context, *, as_json: Json = False) -> None:
    """Show versions of every model and their stages."""
    if context.invoked_subcommand is None:
        list_models(None, as_json=as_json)


@app.command("list", epilog=example("understudy models list churn"))
def list_models(model: AnyModel = None, *, as_json: Json = False) -> None:
    """List versions, newest first."""
    with opened_registry(model) as registry:
        names = [model] if model else registry.models()
        versions = [version for name in names for version in registry.versions(name)]
    if as_json:
        return print_json(versions)
    rows = [
        (v.model, v.version, v.stage, v.algorithm, v.serving, v.metrics, v.data.rows, v.data.end, v.parent, v.reason)
        for v in versions
    ]
    columns = ("model", "version", "stage", "algorithm", "served", "holdout", "rows", "data until", "parent", "reason")
    nothing = f"{model} has no version yet" if model else "No model has a version yet"
    return say(table("Versions", columns, rows) if rows else f"{nothing}; see `understudy train`.")


@app.command(epilog=example("understudy models show churn v1.2.0"))
def show(model: Model, version: Version, *, as_json: Json = False) -> None:
    """Show everything that is known of one version."""
    with opened_registry(model) as registry:
        found = version_of(registry, model, version)
    if as_json:
        return print_json(found)
    return say(facts(f"{model} {version}", found.to_dict()))
