"""The command `understudy`: run it, and turn refusals into messages. Light: Ctrl-C counts from the first moment."""

import contextlib
import os
import sys
from collections.abc import Sequence

from registry.errors import Refusal

WRONG_USE, FAILED, INTERRUPTED = 2, 3, 130
_MANY = 3


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
    except KeyboardInterrupt:
        return INTERRUPTED
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
    from flows.cli import usage
    from flows.cli.app import app

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
    _drop_unwritable()


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
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _debug(error: Exception, code: int) -> int:
    from flows.cli.office import debugging

    if debugging():
        raise error
    return code


if __name__ == "__main__":
    sys.exit(main())
