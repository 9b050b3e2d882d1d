"""The command `understudy`: all commands joined."""

from typing import Annotated

import typer

from flows.cli import (
    approvals,
    assign,
    audit,
    backtest,
    cards,
    check,
    compare,
    decision,
    demo,
    drift,
    events,
    history,
    incidents,
    init,
    log,
    models,
    notifying,
    plan,
    publish,
    remote,
    replay,
    rollout,
    shelf,
    steer,
    system,
    tracking,
    traffic,
    train,
    validate,
    watch,
)
from flows.cli.options import example

app = typer.Typer(
    name="understudy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("understudy demo"),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"understudy {version('understudy')}")
        raise typer.Exit


@app.callback()
def understudy(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Keep a machine-learning model fit for its job: drift, retraining, shadow, canary, tests, rollback."""


for part in (
    system,
    init,
    demo,
    replay,
    backtest,
    check,
    drift,
    train,
    compare,
    plan,
    models,
    cards,
    shelf,
    remote,
    publish,
    traffic,
    assign,
    rollout,
    steer,
    approvals,
):
    part.add_to(app)
validate.add_to(models.app)
for part in (events, history, incidents, audit, decision, tracking, notifying, watch, log):
    part.add_to(app)
