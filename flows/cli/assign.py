"""`understudy assign`: who gets what, and why."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from flows.cli.offline import answer_lines
from flows.cli.options import Json, example
from flows.cli.screen import print_json, say, table
from flows.errors import ConfigError, DataError

WRONG_USE = 2


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    lines = ("understudy assign churn customer-17 customer-18", "understudy assign --ndjson - < lines.ndjson")
    app.command(epilog=example(*lines))(assign)


def assign(
    model: Annotated[
        str | None, typer.Argument(help="Name of a live model.", metavar="MODEL", show_default=False)
    ] = None,
    keys: Annotated[
        list[str] | None, typer.Argument(help="Keys of callers.", metavar="KEY", show_default=False)
    ] = None,
    *,
    ndjson: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help='Offline: one {"salt", "key", "slices": [\\[variant, weight], ...], "overrides"?} per line; '
            '"-" reads standard input.',
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which variant answers which key, by the plan in force or offline."""
    if ndjson is not None:
        if model is not None:
            raise ConfigError("Nothing was assigned.", "Both a model and --ndjson were given.", "Give one of them.")
        return _offline(ndjson)
    if model is None or not keys:
        raise ConfigError(
            "Nothing was assigned.", "A model and at least one key are needed.", "`understudy assign MODEL KEY...`."
        )
    return _live(model, keys, as_json=as_json)


def _offline(source: str) -> None:
    if source == "-":
        wrong = _answer(sys.stdin.buffer)
    else:
        with _opened(source) as stream:
            wrong = _answer(stream)
    if wrong:
        raise typer.Exit(WRONG_USE)


def _opened(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise DataError(f"{source} cannot be read.", f"{error.strerror}.", "Name a file of JSON lines.") from error


def _answer(lines: Iterable[bytes]) -> int:
    """Answer good lines on standard output, wrong ones on standard error; count the wrong."""
    wrong = 0
    for answer in answer_lines(lines):
        wrong += answer.wrong
        typer.echo(answer.text, err=answer.wrong)
    return wrong


def _live(model: str, keys: list[str], *, as_json: bool) -> None:
    rows = [assigned(model, key) for key in keys]
    if as_json:
        return print_json(rows)
    columns = ("key", "variant", "version", "bucket", "enrolled", "reason")
    return say(table(f"{model}, plan {rows[0]['epoch']}", columns, [[row[name] for name in columns] for row in rows]))


def assigned(model: str, key: str) -> Mapping[str, Any]:
    """Assign one key by the plan in force."""
    from flows.cli.traffic import plan_of

    plan = plan_of(model)
    found = plan.assign(key)
    return {"key": key, **found._asdict(), "version": plan.version_of(found.variant), "epoch": plan.epoch}
