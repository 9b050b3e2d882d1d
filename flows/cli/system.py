"""`understudy up | down | status | doctor`: run the system."""

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import opened_registry, settings
from flows.cli.options import Json, example
from flows.cli.screen import plain, print_json, progress, say, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flows.cli.underway import Line
    from flows.ops.doctor import Check
    from flows.ops.health import SystemStatus

FINDING = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("understudy up"))(up)
    app.command(epilog=example("understudy down"))(down)
    app.command(epilog=example("understudy status --json"))(status)
    app.command(epilog=example("understudy doctor"))(doctor)


def up(
    *,
    stay: Annotated[bool, typer.Option("--stay", help="Stay until Ctrl-C, then stop everything.")] = False,
    wait: Annotated[bool, typer.Option(help="Return only when everything is well.")] = True,
    as_json: Json = False,
) -> None:
    """
    Start Prefect server and worker, router, control and shadow; whichever is killed comes back.

    Exit code 1 if everything runs but something is not healthy.
    """
    from flows.ops.up import up as start

    found = start(settings(), wait=wait, detach=not stay, progress=progress)
    _show(found, as_json=as_json)
    if wait and not stay and not found.healthy:
        progress("not everything is healthy; `understudy doctor` and the logs say why")
        raise typer.Exit(FINDING)


def down(*, as_json: Json = False) -> None:
    """Stop everything that `up` started."""
    from flows.ops.down import down as stop

    found = stop(settings(), progress=progress)
    if as_json:
        print_json(found)


def status(*, as_json: Json = False) -> None:
    """Say what runs, and how well; exit code 1 if anything is not healthy."""
    from flows.ops.status import status as look

    found = look(settings())
    _show(found, as_json=as_json, busy=_under_way())
    if not found.healthy:
        raise typer.Exit(FINDING)


def doctor(*, as_json: Json = False) -> None:
    """Look for what usually keeps the system from running; exit code 1 if there is something to mend."""
    from flows.ops.doctor import doctor as examine

    checks = (*examine(settings(prepare=False)), *_told())
    if as_json:
        print_json(checks)
    else:
        rows = [("ok" if one.passed else "MEND", one.name, one.said, one.mend) for one in checks]
        say(table("Doctor", ("", "check", "found", "mend"), rows))
    if not all(one.passed for one in checks):
        raise typer.Exit(FINDING)


def _told() -> "Iterator[Check]":
    """Whether people are told what happens; a registry that is away is another check's."""
    from datetime import UTC, datetime

    from flows.cli.underway import undelivered
    from flows.ops.doctor import Check
    from registry.errors import Refusal

    with contextlib.suppress(Refusal), opened_registry() as registry:
        lines = [one.said for one in undelivered(registry, datetime.now(UTC))]
        mend = "`understudy notify list` shows them; `understudy notify test MODEL` tries the addresses."
        yield Check(name="undelivered", passed=not lines, said="; ".join(lines) or "none", mend=mend if lines else "")


def _under_way() -> "list[Line]":
    from datetime import UTC, datetime

    from flows.cli.underway import under_way
    from registry.errors import Refusal

    try:
        with opened_registry() as registry:
            return list(under_way(registry, datetime.now(UTC)))
    except Refusal as away:  # what runs is told all the same
        from flows.cli.underway import Line

        return [Line("registry", away.why, trouble=True)]


def _show(found: "SystemStatus", *, as_json: bool, busy: "Sequence[Line]" = ()) -> None:
    if as_json:
        document = plain(found) | {"under_way": [one._asdict() for one in busy]}
        print_json(document)
        return
    rows = [
        (one.name, one.health, one.pid, one.restarts, _age(one.uptime_s), one.address, one.log)
        for one in found.processes
    ]
    say(table("Processes", ("process", "health", "pid", "restarts", "up", "address", "log"), rows))
    for name, address in found.addresses.items():
        say(f"{name:<8} {address}")
    for one in busy:
        said = f"{one.what:<8} {text(one.said)}"
        say(f"[bold red]{said}[/bold red]" if one.trouble else said)


def _age(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
