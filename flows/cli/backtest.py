"""`understudy backtest`: what would each retraining policy have gained and cost on this table? Needs no server."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json, example
from flows.cli.screen import print_json, progress, say
from flows.cli.writing import refuse_unwritable
from flows.errors import ConfigError, DataError

if TYPE_CHECKING:
    from flows.backtest.backtest import Done
    from flows.backtest.options import Options
    from flows.backtest.results import Backtest
    from flows.config.model import ModelConfig

INTERRUPTED = 130
_POLICIES = (
    "Repeat it, or separate by commas: never, always, every:N, evenly:N, error[:PERCENT], adwin[:DELTA], "
    "drift[:EFFECT], drift:psi[:LIMIT], drift:ks[:P], rules, fused[:PERCENT], adaptive[:PERCENT], oracle[:PERCENT]."
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    lines = (
        "understudy backtest examples/electricity.yaml --data elec2.parquet --html backtest.html",
        "understudy backtest bank.yaml --batch 500 --policy error,every:4 --price-retraining 40 --price-point 100",
        "understudy backtest bikes.yaml --policy error --tune",
    )
    app.command(epilog=example(*lines))(backtest)


def backtest(
    config: Annotated[Path, typer.Argument(help="YAML file of the model.", metavar="FILE", show_default=False)],
    *,
    policy: Annotated[list[str] | None, typer.Option(help=_POLICIES, show_default=False)] = None,
    data: Annotated[Path | None, typer.Option(help="Table to replay; that of the configuration if absent.")] = None,
    batch: Annotated[str, typer.Option(help="How often is decided: 1w, 1d, or so many rows: 500.")] = "1w",
    warmup: Annotated[int, typer.Option(help="Batches that the first model learns from.", min=1)] = 8,
    window: Annotated[str, typer.Option(help="How far back retrainings look: auto, config, all, 8w ...")] = "auto",
    metric: Annotated[
        str | None, typer.Option(help="What is compared; that of the promotion policy if absent.", show_default=False)
    ] = None,
    change: Annotated[
        list[int] | None,
        typer.Option(help="A batch after which the world is known to have changed; the oracle says if absent."),
    ] = None,
    price_retraining: Annotated[float | None, typer.Option(help="Price of one retraining.", min=0)] = None,
    price_point: Annotated[
        float | None, typer.Option(help="Price of one point lost against always: .01 of a share, or one unit.", min=0)
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the policies' numbers on the first half, report on the second.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Numbers that --tune tries for each policy.", min=1, max=1000)] = 20,
    workers: Annotated[
        int | None, typer.Option(help="Processes; the result is the same.", min=1, show_default="up to 4")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here, too.")] = None,
    as_json: Json = False,
) -> None:
    """
    Replay a time-ordered table under retraining policies, and say what each would have gained and cost.

    Every batch is scored by the model in force; then labels arrive, as late as data.label_delay says, and the
    policy decides. Never, always and an even schedule with as many retrainings always stand beside it.
    """
    from flows.config.load import load_config

    loaded = load_config(config, _environ(config, data))
    options = _options(
        loaded,
        policies=policy or [],
        batch=batch,
        warmup=warmup,
        window=window,
        metric=metric,
        changes=change or [],
        prices=(price_retraining, price_point),
        workers=workers,
        trials=trials if tune else 0,
    )
    refuse_unwritable(html, "Nothing was replayed.")
    found = _replay(loaded, data, options)
    if html is not None:
        _write(html, found)
    if as_json:
        print_json(found)
    else:
        show(found)


def _write(file: Path, found: "Backtest") -> None:
    from flows.backtest.report import document
    from flows.reports.page import keep

    keep({file: document(found).encode()})
    progress(f"The report is in {file}.")


def _environ(config: Path, data: Path | None) -> "Mapping[str, str]":
    """The environment; with a table given, the variables of the configuration's own table need not be set."""
    from flows.config.reading import read_yaml

    raw = {} if data is None else read_yaml(config)
    own = raw.get("data")
    source = own.get("source") if isinstance(own, dict) else None
    names = re.findall(r"\$\{(\w+)", str(source))
    return {**dict.fromkeys(names, "."), **os.environ}


def show(found: "Backtest") -> None:
    """Print what a replay showed."""
    from flows.backtest.screen import shown

    say(*shown(found))


def _options(
    config: "ModelConfig",
    *,
    policies: list[str],
    batch: str,
    warmup: int,
    window: str,
    metric: str | None,
    changes: list[int],
    prices: tuple[float | None, float | None],
    workers: int | None,
    trials: int,
) -> "Options":
    from flows.backtest.batches import Plan
    from flows.backtest.memory import Memory
    from flows.backtest.options import Options
    from flows.backtest.parallel import usual_workers
    from flows.backtest.policies.names import specs, usual

    _refuse_metric(config, metric)
    return Options(
        policies=specs(policies or usual()),
        plan=Plan(batch=batch, warmup=warmup),
        window=Memory.of(window),
        metric=metric,
        changes=tuple(sorted(set(changes))),
        price_retraining=prices[0],
        price_point=prices[1],
        workers=workers or usual_workers(),
        trials=trials,
    )


def _refuse_metric(config: "ModelConfig", metric: str | None) -> None:
    from flows.comparison.metrics import METRICS

    known = METRICS[config.task]
    if metric is not None and metric not in known:
        why = f"A {config.task} model is not measured by {metric!r}."
        raise ConfigError("Nothing was replayed.", why, f"Choose one of {', '.join(known)}.")


def _replay(config: "ModelConfig", data: Path | None, options: "Options") -> "Backtest":
    from flows.backtest.backtest import backtest as play
    from flows.backtest.table import read
    from flows.data.tables import raw_table

    if data is None and config.data.source is None:
        raise DataError("There is no table to replay.", "The configuration names none.", "Give one by --data FILE.")
    table = read(config, raw_table(config, data))
    try:
        with _bar() as done:
            return play(config, table, options, done)
    except KeyboardInterrupt:
        progress("Interrupted; nothing was written.")
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _bar() -> "Iterator[Done]":
    """A bar on standard error, where a person sees it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Replaying", total=None)

        def done(said: str, of: int) -> None:
            bar.update(task, advance=1, total=of, description=said)

        yield done
