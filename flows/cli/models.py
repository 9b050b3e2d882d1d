"""`understudy models`: versions and their stages."""

from typing import TYPE_CHECKING

import typer

from flows.cli.office import opened_registry, version_of
from flows.cli.options import AnyModel, Json, Model, Version, example
from flows.cli.screen import facts, print_json, say, table

if TYPE_CHECKING:
    from registry.records.version import ModelVersion

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
    columns = ["model", "version", "stage", "algorithm", "served", "holdout", "rows", "data from", "data until", "made"]
    rows = [[*_line(version), version.created_at, version.parent, version.reason] for version in versions]
    columns += ["parent", "reason"]
    nothing = f"{model} has no version yet" if model else "No model has a version yet"
    return say(table("Versions", columns, rows) if rows else f"{nothing}; see `understudy train`.")


def _line(version: "ModelVersion") -> list[object]:
    from flows.reports.versions.difference import headline

    gone = "" if version.artifact_deleted_at is None else ", artifact deleted"
    named = [version.model, version.version, f"{version.stage}{gone}", version.algorithm, version.serving]
    return [*named, headline(version.metrics), version.data.rows, version.data.start, version.data.end]


@app.command(epilog=example("understudy models show churn v1.2.0"))
def show(model: Model, version: Version, *, as_json: Json = False) -> None:
    """Show everything that is known of one version."""
    with opened_registry(model) as registry:
        found = version_of(registry, model, version)
    if as_json:
        return print_json(found)
    told = found.to_dict() | {"features": _features(found), "validation": _validation(found)}
    return say(
        facts(f"{model} {version}", told),
        f"In words: `understudy models card {model} {version}`; every number: with --json.",
    )


def _features(version: "ModelVersion") -> list[str]:
    return [f"{one.name} ({one.kind})" for one in version.features]


def _validation(version: "ModelVersion") -> str:
    """How many checks it passed, and what was said of those that it did not."""
    checks = version.validation.get("checks", [])
    if not checks:
        return "-"
    failed = [f"{check['name']} failed: {check['said']}" for check in checks if not check["passed"]]
    return "; ".join([f"{len(checks) - len(failed)} of {len(checks)} checks passed", *failed])
