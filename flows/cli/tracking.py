"""`understudy tracking`: what waits for MLflow, and sending it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import settings
from flows.cli.options import Json, Limit, example
from flows.cli.screen import print_json, say

if TYPE_CHECKING:
    from registry.home import Settings

app = typer.Typer(no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(
        app, name="tracking", help="Runs and versions in MLflow.", epilog=example("understudy tracking status")
    )


@app.command(epilog=example("understudy tracking status --json"))
def status(*, as_json: Json = False) -> None:
    """Show where runs go, and what waits to be sent."""
    from flows.tracking.outbox import Outbox, outbox_file

    where = settings()
    found: dict[str, Any] = {"uri": _shown(where), "outbox": str(outbox_file(where))}
    found |= Outbox(where).stock()._asdict()
    if as_json:
        return print_json(found)
    say(f"Runs go to {found['uri']}.")
    say(f"{found['waiting']} wait{_since(found['oldest'])}; {found['sent']} were sent.")
    if found["aside"]:
        say(f"{found['aside']} were refused too often: `understudy tracking send --again`. Last: {found['said']}")
    if found["dropped"]:
        say(f"{found['dropped']} were dropped, because the outbox was full or they were too old.")
    return None


@app.command(epilog=example("understudy tracking send", "understudy tracking send --again --json"))
def send(
    *,
    limit: Limit = 10_000,
    timeout: Annotated[float, typer.Option(help="Seconds after which nothing new is begun.", min=1)] = 300.0,
    again: Annotated[bool, typer.Option("--again", help="Try those once more that were refused too often.")] = False,
    as_json: Json = False,
) -> int:
    """Send what waits, and mirror versions, stages and aliases; 1 if something is left."""
    from flows.tracking.outbox import Outbox
    from flows.tracking.send import send as deliver

    where = settings()
    if again:
        Outbox(where).again()
    done = deliver(where, limit=limit, timeout=timeout)
    if as_json:
        print_json(done)
    elif done.busy:
        say("Another sender is at work.")
    else:
        mirrored = f"; mirrored: {', '.join(done.mirrored)}" if done.mirrored else ""
        say(f"{done.sent} were sent, {done.waiting} wait{mirrored}.")
        for said in done.said:
            say(said)
    return 1 if done.waiting or done.aside or done.said else 0


@app.command("open-command", epilog=example('sh -c "$(understudy tracking open-command)"'))
def open_command(
    *, port: Annotated[int, typer.Option(help="Where the page will be.")] = 5000, as_json: Json = False
) -> None:
    """Print the command that shows the runs as web pages, with a full MLflow."""
    command = _opening(_shown(settings()), port)
    return print_json({"command": command}) if as_json else typer.echo(command)


def _opening(uri: str, port: int) -> str:
    import shlex

    from flows.tracking.store import VARIABLE

    if uri.startswith("http"):
        return f"xdg-open {shlex.quote(uri)}"
    place = f'"${VARIABLE}"' if "***" in uri else shlex.quote(uri)
    return (
        f"MLFLOW_DISABLE_TELEMETRY=true uvx --from 'mlflow>=3.4' mlflow server --backend-store-uri {place} "
        f"--host 127.0.0.1 --port {port}"
    )


def _since(oldest: float | None) -> str:
    return "" if oldest is None else f", the oldest since {datetime.fromtimestamp(oldest, UTC):%Y-%m-%d %H:%M} UTC"


def _shown(where: "Settings") -> str:
    from flows.config.aftercare import shown
    from flows.tracking.store import tracking_uri

    return shown(tracking_uri(where, None))
