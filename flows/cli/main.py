"""The command `understudy`: join the commands, and turn refusals into messages."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flows.cli import (
    approvals,
    assign,
    audit,
    check,
    compare,
    decision,
    demo,
    events,
    init,
    models,
    plan,
    replay,
    rollout,
    steer,
    system,
    train,
    usage,
    watch,
)
from flows.cli.office import debugging
from flows.cli.options import example
from registry.errors import Refusal

WRONG_USE, FAILED = 2, 3
_MANY = 3

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


for part in (system, init, demo, replay, check, train, compare, models, plan, assign, rollout, steer, approvals):
    part.add_to(app)
for part in (events, audit, decision, watch):
    part.add_to(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns:
        0: fine; 1: a finding; 2: wrong use; 3: failed; 130: interrupted.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()  # here, where a full disk can still be told
    except Refusal as refusal:
        _complain(refusal.what, refusal.why, refusal.mend)
        return _debug(refusal, refusal.exit_code)
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        _drop_unwritable()
        _complain(
            "The system did not allow it.",
            f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.",
            "Look at rights and free space; `understudy doctor` does.",
        )
        return _debug(error, FAILED)
    except Exception as error:  # noqa: BLE001  the last stop: nobody wants to read a traceback
        why = f"{type(error).__name__}: {error}"
        _complain("Something unexpected happened.", why, "Set UNDERSTUDY_DEBUG=1 for the traceback, and report it.")
        return _debug(error, FAILED)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=words, prog_name="understudy", standalone_mode=False)
    except usage.UsageError as error:
        refusal = usage.refusal(app, words, error)
        if refusal is None:
            return WRONG_USE
        raise refusal from error
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):
            return _unread()
        return ending.code if isinstance(ending.code, int) else FAILED if ending.code else 0
    return code if isinstance(code, int) else 0


def _complain(what: str, why: str, mend: str) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True)
    with contextlib.suppress(OSError, SystemExit):  # nobody reads it: the exit code still tells
        console.print(Text.assemble((what, "bold red")))
        console.print(Text.assemble(("Why:", "bold"), _listed(why)))
        console.print(Text.assemble(("Mend: ", "bold"), mend))


def _listed(why: str) -> str:
    """Many mistakes one below the other."""
    mistakes = why.removesuffix(".").split("; ")
    if len(mistakes) < _MANY:
        return f"  {why}"
    return "".join(f"\n  - {one}" for one in mistakes)


def _unread() -> int:
    """Whoever read our output has gone: that is no failure."""
    _drop_unwritable()
    return 0


def _drop_unwritable() -> None:
    """What cannot be written is dropped; the interpreter must not complain when it flushes."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _debug(error: Exception, code: int) -> int:
    if debugging():
        raise error
    return code


if __name__ == "__main__":
    sys.exit(main())
