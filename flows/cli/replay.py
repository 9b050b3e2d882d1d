"""`understudy replay`: play a table through the live system."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import require_prefect, settings
from flows.cli.options import Json, example
from flows.cli.screen import print_json, progress, say
from flows.errors import DataError

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from flows.replay.player import Options
    from flows.replay.summary import Summary

FINDING, FAILED, INTERRUPTED = 1, 3, 130


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    lines = ("understudy replay examples/electricity.yaml --source elec2.parquet --batch 1w",)
    app.command(epilog=example(*lines))(replay)


def replay(
    config: Annotated[Path, typer.Argument(help="YAML file of the model.", metavar="FILE", show_default=False)],
    *,
    source: Annotated[Path | None, typer.Option(help="Table to play; that of the configuration if absent.")] = None,
    first: Annotated[float, typer.Option(help="Share of rows that trains the first champion.", min=0, max=1)] = 0.1,
    batch: Annotated[str, typer.Option(help="How often the monitor looks: 500rows, 1d, 1w ...")] = "1w",
    limit: Annotated[int | None, typer.Option(help="Only the first so many rows.", min=1)] = None,
    inject_bad_challenger: Annotated[
        float | None,
        typer.Option(help="After this share of rows, roll out a model with shuffled features.", min=0, max=1),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the replay and its model; the model's if absent.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted replay.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin again, under the next free name.")] = False,
    approve: Annotated[bool, typer.Option(help="Agree in the name of people when a rollout asks them.")] = True,
    start: Annotated[bool, typer.Option("--up/--no-up", help="Start the system if it is not up.")] = True,
    leave: Annotated[bool, typer.Option("--exit", help="Stop the system afterwards.")] = False,
    as_json: Json = False,
) -> None:
    """
    Play a time-ordered table through the live system as if it were traffic whose labels arrive later.

    The first rows train the first champion; the rest arrives as requests. Exit code 1: an injected bad
    challenger was not stopped; 3: the bookkeeping is not exact; 130: interrupted, go on with --resume.
    """
    from flows.replay.batches import Batch
    from flows.replay.player import Options

    loaded = _load(config, source)
    options = Options(
        name=_name(name or loaded.model, restart=restart, resume=resume),
        batch=Batch.of(batch),
        first=first,
        limit=limit,
        bad_at=inject_bad_challenger,
        approve=approve,
    )
    _check_table(loaded, source, options)
    _prepare(options.name, resume=resume, start=start)
    try:
        summary = _play(loaded, source, options, resume=resume)
    finally:
        if leave:
            _down()
    print_json(summary.to_json_document()) if as_json else show(summary)
    raise typer.Exit(exit_code(summary))


def exit_code(summary: "Summary") -> int:
    """0: fine; 1: a bad challenger was not stopped; 3: the books do not balance."""
    if not summary.exact:
        return FAILED
    return FINDING if summary.bad_findings() else 0


def show(summary: "Summary") -> None:
    """Print what a replay showed."""
    from flows.replay.tables import tables

    say(*tables(summary))


def _load(config: Path, source: Path | None) -> "ModelConfig":
    from flows.config.load import load_config

    loaded = load_config(config)
    if source is None and loaded.data.source is None:
        raise DataError("There is no table to play.", "The configuration names none.", "Give one by --source FILE.")
    return loaded


def _name(wanted: str, *, restart: bool, resume: bool) -> str:
    from flows.errors import ConfigError
    from flows.replay.run import free_name
    from registry.records.base import name_mistakes

    if restart and resume:
        raise ConfigError("Nothing was played.", "Both --resume and --restart were given.", "Give one of them.")
    mistakes = name_mistakes("name", wanted)
    if mistakes:
        raise ConfigError("Nothing was played.", f"{mistakes[0]}.", "Choose another --name.")
    return free_name(settings(), wanted) if restart else wanted


def _prepare(name: str, *, resume: bool, start: bool) -> None:
    """Refuse what cannot be played before the system is started."""
    from flows.replay.run import refuse_existing, refuse_running

    refuse_running(settings(), name)
    if not resume:
        refuse_existing(settings(), name)
    if start:
        from flows.ops.up import up

        up(settings(), progress=progress)
    else:
        from flows.client import RouterClient

        require_prefect(settings())
        with RouterClient(settings()) as client:
            client.ready()


def _check_table(config: "ModelConfig", table: Path | None, options: "Options") -> None:
    """Refuse a table that cannot be played before the system is started."""
    from flows.data import prepare
    from flows.data.tables import raw_table
    from flows.replay.source import first_rows

    rows = prepare(config, raw_table(config, table)).height
    first_rows(min(rows, options.limit or rows), options.first, config.training.min_rows)


def _play(config: "ModelConfig", table: Path | None, options: "Options", *, resume: bool) -> "Summary":
    from flows.replay.audience import Terminal
    from flows.replay.interrupt import interruptible
    from flows.replay.run import replay as play

    try:
        with interruptible(), Terminal() as audience:
            return play(settings(), config, table, options, audience, resume=resume)
    except KeyboardInterrupt:
        progress(f"Interrupted; everything so far is kept. Go on with the same command, --resume --name {options.name}")
        raise typer.Exit(INTERRUPTED) from None


def _down() -> None:
    from flows.ops.down import down

    down(settings(), progress=progress)
