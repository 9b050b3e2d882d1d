"""`understudy demo`: the whole loop, live, in a few minutes."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import settings
from flows.cli.options import Json, example
from flows.cli.screen import print_json, progress, say, table

if TYPE_CHECKING:
    from flows.demo.show import Shown

FINDING, FAILED, INTERRUPTED = 1, 3, 130


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy demo", "understudy demo --exit"))(demo)


def demo(
    *,
    leave: Annotated[
        bool, typer.Option("--exit", help="End by itself: exit code 0 only if every phase did its job.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Length of the stream of leads.")] = 9_000,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 7,
    as_json: Json = False,
) -> None:
    """
    Start everything and play a stream of sales leads through it: drift, retraining, shadow, canary, promotion.

    A deliberately bad challenger is sent to the callers as well, and is rolled back. Stays up until Ctrl-C.
    """
    from flows.demo.show import refuse_short
    from flows.ops.up import up

    refuse_short(rows)
    found = up(settings(), progress=progress)
    for name, address in found.addresses.items():
        progress(f"{name:<8} {address}")
    try:
        shown = _play(rows, seed)
        _show(shown, as_json=as_json)
        if not leave:
            _stay(found.addresses)
    finally:
        if not found.already_up:
            _down()
    raise typer.Exit(_code(shown))


def _play(rows: int, seed: int) -> "Shown":
    from flows.demo.show import demo as play
    from flows.replay.audience import Terminal
    from flows.replay.interrupt import interruptible

    try:
        with interruptible(), Terminal() as audience:
            return play(settings(), audience, rows=rows, seed=seed)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _show(shown: "Shown", *, as_json: bool) -> None:
    from flows.replay.tables import tables

    if as_json:
        return print_json({"passed": shown.passed, "phases": shown.phases, "summary": shown.summary.to_json_document()})
    say(*tables(shown.summary))
    rows = [("ok" if one.passed else "FAILED", one.name, one.said) for one in shown.phases]
    return say(table("What the demo should show", ("", "phase", "seen"), rows))


def _stay(addresses: dict[str, str]) -> None:
    import contextlib
    import threading

    say("", "Look around:", *(f"  {name:<8} {address}" for name, address in addresses.items()))
    say("  the router's own documentation is at /docs", "", "Press Ctrl-C to stop everything.")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _down() -> None:
    from flows.ops.down import down

    down(settings(), progress=progress)


def _code(shown: "Shown") -> int:
    if not shown.summary.exact:
        return FAILED
    return 0 if shown.passed else FINDING
