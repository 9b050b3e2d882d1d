"""`understudy train`: the first champion, or a challenger."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import config_of, opened_registry, require_prefect, run_flow, settings
from flows.cli.options import Actor, AsOf, Json, Model, example, moment
from flows.cli.screen import facts, print_json, progress, say
from flows.errors import ConfigError, DataError

if TYPE_CHECKING:
    from flows.config.model import ModelConfig

RETRAIN = "flows.training.retrain.retrain"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy train churn"))(train)


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
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Train a challenger on the newest labelled rows, compare it, and begin its rollout.

    A model without champion learns from its table, and answers everybody at once. The flow runs here;
    the Prefect server records it.
    """
    at = moment(as_of) if as_of else None
    config, first = config_of(model), _is_first(model)
    if source is not None and not first:
        raise ConfigError(
            f"{model} was not trained.",
            "--source is the table of a first champion, and it has a champion; it learns from the router's log.",
            "Leave --source out.",
        )
    if first:
        _keep_seed(config, source)
    trigger = "emergency" if emergency else "initial" if first else "manual"
    done = run_flow(
        RETRAIN,
        model=model,
        trigger=trigger,
        reason=reason,
        actor=actor,
        force=force,
        as_of=at,
    )
    _show(done[model], as_json=as_json)


def _is_first(model: str) -> bool:
    with opened_registry() as registry:
        return registry.champion(model) is None


def _keep_seed(config: "ModelConfig", source: Path | None) -> None:
    """Keep the table where trainings find it, beside the router's log."""
    from flows.data import prepare, read_table, save_seed

    chosen = source or config.data.source
    if chosen is None:
        raise DataError(
            f"{config.model} was not trained.",
            "It has no champion yet, and its configuration names no table.",
            "Give one by --source FILE, or data.source.",
        )
    frame = prepare(config, read_table(chosen))
    require_prefect(settings())
    save_seed(settings(), config, frame)
    progress(f"learning from {frame.height} rows of {chosen}")


def _show(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        return print_json(done)
    return say(facts("Retraining", done))
