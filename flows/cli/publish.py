"""`understudy models publish`: a fitted pipeline of one's own becomes a version."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import models
from flows.cli.office import config_of, opened_registry, settings
from flows.cli.options import Actor, DryRun, Json, Model, example, moment
from flows.cli.screen import facts, print_json, say

if TYPE_CHECKING:
    from flows.training.pipeline import Proposal


def add_to(_parent: typer.Typer) -> None:
    """Add the command below `models`."""
    models.app.command(epilog=example("understudy models publish churn pipeline.skops --data holdout.csv --dry-run"))(
        publish
    )


def publish(
    model: Model,
    file: Annotated[Path, typer.Argument(help="Written by skops.io.dump.", metavar="FILE", show_default=False)],
    *,
    actor: Actor,
    data: Annotated[Path, typer.Option(help="Holdout with labels: CSV or Parquet; rows that it has not learned from.")],
    target: Annotated[
        str | None, typer.Option(help="Column of the truth; that of the configuration if absent.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; written into the audit trail.")] = "fitted elsewhere",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Register a fitted scikit-learn pipeline as a version in staging, after comparing what is served with it.

    It is compiled if that says the same of the holdout; else the pipeline itself is served, and the reason is told.
    Files hold scikit-learn, XGBoost and LightGBM only: nothing that could run code of others is loaded.
    """
    from flows.data import read_table
    from flows.training.pipeline import propose
    from flows.training.publish import register
    from registry.artifacts import ArtifactStore

    config = config_of(model)
    if target is not None:
        config = config.model_copy(update={"target": target})
    table = read_table(data)
    with opened_registry(model) as registry:
        proposal = propose(config, file, table, registry, actor=actor, reason=reason, at=moment(None))
        if not dry_run:
            register(proposal, registry, ArtifactStore(settings().models_dir))
    return _show(proposal, dry_run=dry_run, as_json=as_json)


def _show(proposal: "Proposal", *, dry_run: bool, as_json: bool) -> None:
    version = proposal.version
    said = {
        "model": version.model,
        "version": version.version,
        "registered": not dry_run,
        "algorithm": version.algorithm,
        "served": version.serving,
        "because": version.serving_reason,
        "largest_difference": version.parity,
        "holdout_rows": proposal.rows,
        "metrics": version.metrics,
    }
    if as_json:
        return print_json(said)
    say(facts(f"{version.model} {version.version}", said))
    if dry_run:
        return say("Nothing was stored.")
    return say(f"Next: `understudy promote {version.model} {version.version} --reason ...`")
