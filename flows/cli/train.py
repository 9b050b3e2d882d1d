"""`understudy train`: the first champion, or a challenger."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import config_of, opened_registry, require_prefect, run_flow, settings
from flows.cli.options import Actor, AsOf, DryRun, Json, Model, example, moment
from flows.cli.screen import facts, print_json, progress, say
from flows.errors import ConfigError, DataError

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from flows.data.tables import Table
    from flows.training.preview import Preview

RETRAIN = "flows.training.retrain.retrain"
FINDING = 1
NOTHING_CAME = ("rejected", "refused")
_NEXT = {
    "installed": "It answers callers now: `understudy traffic show {model}`; its card: `understudy models card {model} "
    "{version}`.",
    "rollout": "Watch it: `understudy watch {model}`.",
    "waiting_approval": "Look at the verdict: `understudy decision show {decision}`; "
    "agree: `understudy approve {model} --role ...`.",
    "rejected": "Look why: `understudy models show {model} {version}`.",
    "undecided": "Look why: `understudy decision show {decision}`.",
    "refused": "Look what is under way: `understudy events list {model}`, `understudy rollout status {model}`.",
    "known": "Ask for a new one: `understudy train {model}`.",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    lines = (
        "understudy train churn --dry-run",
        "understudy train churn --reason 'new tariff'",
        "understudy train churn --source history.parquet",
        "understudy train churn --json",
    )
    app.command(epilog=example(*lines))(train)


def train(
    model: Model,
    *,
    actor: Actor,
    source: Annotated[
        Path | None, typer.Option(help="Table of the first champion; that of the configuration if absent.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; written into the audit trail.")] = "asked for on the command line",
    emergency: Annotated[bool, typer.Option("--emergency", help="Log it as an emergency.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Roll an active rollout back first.")] = False,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Train a challenger on the newest labelled rows, compare it, and begin its rollout.

    A model without champion learns from its table, and answers everybody at once. The flow runs here, at low
    priority; the Prefect server records it. A training that was killed goes on where it was. With --dry-run, the rows
    are read and checked, and what would be trained is said. Exit code 1: the challenger was rejected, or nothing was
    trained because something else is under way; 2: wrong use or wrong data; 3: something did not work.
    """
    from flows.training.politeness import be_polite, cap_threads

    cap_threads()
    at = moment(as_of) if as_of else None
    config, first = config_of(model), _is_first(model)
    if source is not None and not first:
        raise ConfigError(
            f"{model} was not trained.",
            "--source is the table of a first champion, and it has a champion; it learns from the router's log.",
            "Leave --source out.",
        )
    if dry_run:
        _preview(config, source, at, first=first, as_json=as_json)
        return
    table = _first_table(config, source) if first else None
    require_prefect(settings())
    be_polite()
    if table is not None:
        _keep(config, source, table)
    trigger = "emergency" if emergency else "initial" if first else "manual"
    done = _run(model=model, trigger=trigger, reason=reason, actor=actor, force=force, as_of=at)
    _show(model, done, as_json=as_json)
    if done["outcome"] in NOTHING_CAME:
        raise typer.Exit(FINDING)


def _is_first(model: str) -> bool:
    with opened_registry() as registry:
        return registry.champion(model) is None


def _first_table(config: "ModelConfig", source: Path | None) -> "Table":
    from flows.data.sources import source_of
    from flows.data.tables import read_source

    chosen = source_of(config, str(source) if source else None)
    if chosen is None:
        raise DataError(
            f"{config.model} was not trained.",
            "It has no champion yet, and its configuration names no table.",
            "Give one by --source FILE, or data.source.",
        )
    return read_source(config, chosen, tolerant=False)


def _keep(config: "ModelConfig", source: Path | None, table: "Table") -> None:
    """Keep the first table where trainings find it, beside the router's log; one that grows is read anew each time."""
    from flows.data.history import Origin, save_seed
    from flows.data.sources import grows

    if source is not None or not grows(config.data.source):
        save_seed(settings(), config, table.frame, Origin(table.source, table.version))
    progress(f"learning from {table.frame.height} rows of {table.source}")


def _run(**parameters: Any) -> dict[str, Any]:
    from flows.cli.trainbar import training_bar
    from flows.training.progress import listening

    try:
        with training_bar() as heard, listening(heard):
            done: dict[str, dict[str, Any]] = run_flow(RETRAIN, **parameters)
    except KeyboardInterrupt:
        progress(f"Interrupted. What came of it: `understudy events list {parameters['model']}`.")
        raise
    return done[parameters["model"]]


def _preview(config: "ModelConfig", source: Path | None, at: datetime | None, *, first: bool, as_json: bool) -> None:
    from flows.cli.bars import waiting

    with waiting("Reading and checking rows"):
        said = _looked(config, source, at or moment(None), first=first)
    if as_json:
        return print_json(said)
    told = {name: getattr(said, name) for name in said.__slots__}
    told["about_s"] = f"{said.about_s:.0f} s on one core, roughly; ended after {told.pop('most')}"
    say(facts("Nothing was trained; this would be", {name.replace("_", " "): value for name, value in told.items()}))
    return say(f"Train it: `understudy train {config.model}`.")


def _looked(config: "ModelConfig", source: Path | None, at: datetime, *, first: bool) -> "Preview":
    from flows.client import RouterClient
    from flows.data.gather import Extracted, contract_of, extract
    from flows.training.preview import preview
    from registry.artifacts import ArtifactStore

    if first:
        table = _first_table(config, source)
        found = Extracted(frame=table.frame, source=table.source, version=table.version)
        return preview(config, found, contract=None, champion=None, as_of=at)
    with opened_registry() as registry, RouterClient(settings(), actor="training") as client:
        champion = registry.champion(config.model)
        contract = contract_of(ArtifactStore(settings().models_dir), champion)
        found = extract(config, settings(), client, contract=contract, as_of=at)
    return preview(config, found, contract=contract, champion=champion, as_of=at)


def _show(model: str, done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        return print_json(done)
    say(facts("Retraining", done))
    return say(_NEXT[done["outcome"]].format(model=model, **{name: value or "" for name, value in done.items()}))
