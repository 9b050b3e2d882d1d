"""`understudy models validate`: what a version shows in a router of its own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.bars import waiting
from flows.cli.office import config_of, opened_registry, settings, version_of
from flows.cli.options import Actor, AsOf, Json, Model, Version, example, moment
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from flows.validation.report import ValidationReport

FAILED = 1
_EXAMPLE = "understudy models validate churn v1.2.0"


def add_to(models: typer.Typer) -> None:
    """Add the command below `models`."""
    models.command(epilog=example(_EXAMPLE, f"{_EXAMPLE} --table newest.parquet"))(validate)


def validate(
    model: Model,
    version: Version,
    *,
    actor: Actor,
    source: Annotated[
        Path | None,
        typer.Option("--table", help="Rows to ask about; the newest labelled ones if absent.", dir_okay=True),
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Serve a version by a router of its own, ask it, and say whether it may leave staging.

    What is found is kept in the audit trail; a version in staging that fails is rejected, one that was rejected for
    that and passes now is back in staging. Exit code 0 if it passed; 1 if not; 2 is wrong use, 3 a failure.
    """
    from flows.data import prepare, read_table
    from flows.validation.registered import validate_registered

    config, at = config_of(model), moment(as_of)
    with opened_registry(model) as registry:
        wanted = version_of(registry, model, version)
        frame = prepare(config, read_table(source)) if source is not None else None
        with waiting(f"Asking {model} {version} in a router of its own"):
            report = validate_registered(config, settings(), registry, wanted, frame=frame, actor=actor, at=at)
        stage = registry.version(model, version).stage
    _show(f"{model} {version} ({stage})", report, as_json=as_json)
    if not report.passed:
        raise typer.Exit(FAILED)


def _show(title: str, report: "ValidationReport", *, as_json: bool) -> None:
    if as_json:
        return print_json(report)
    rows = [(check.name, check.passed, check.value, check.bound, check.said) for check in report.checks]
    say(table(title, ("check", "passed", "value", "bound", "what was seen"), rows))
    return say(f"{'It may' if report.passed else 'It may not'} leave staging. Took {report.duration_s:.1f} s.")
