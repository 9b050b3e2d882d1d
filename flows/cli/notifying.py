"""`understudy notify`: what people are told, what waits to be sent, and whether their addresses work."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import opened_registry, settings
from flows.cli.options import AnyModel, Json, Limit, Model, example
from flows.cli.screen import print_json, say, table

if TYPE_CHECKING:
    from flows.notify.trial import Tried
    from registry.records.notice import Notice

app = typer.Typer(no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="notify", help="Notifications.", epilog=example("understudy notify test churn"))


@app.command("list", epilog=example("understudy notify list churn --json"))
def list_notices(
    model: AnyModel = None,
    *,
    limit: Limit = 30,
    status: Annotated[str | None, typer.Option(help="waiting, sent, logged or given_up; all if absent.")] = None,
    as_json: Json = False,
) -> None:
    """List notifications, newest first: sent, waiting for another try, given up, or in the log only."""
    with opened_registry(model) as registry:
        found = [one for one in registry.notices(model) if status in (None, one.status)][:limit]
    if as_json:
        return print_json(found)
    if not found:
        return say("There is nothing to tell.")
    columns = ("at", "kind", "what", "status", "tries", "next try", "missed")
    return say(table("Notifications", columns, [_row(one) for one in found]))


def _row(one: "Notice") -> tuple[Any, ...]:
    following = one.next_at if one.status == "waiting" else None
    return one.created_at, one.kind, one.title, one.status, one.attempts, following, ", ".join(one.missed) or None


@app.command(epilog=example("understudy notify send"))
def send(
    *,
    timeout: Annotated[float, typer.Option(help="Seconds after which nothing new is begun.", min=1)] = 300.0,
    as_json: Json = False,
) -> int:
    """Send what is due now; 1 if something could not be sent."""
    from flows.notify.send import send_due

    with opened_registry() as registry:
        done = send_due(settings(), registry, timeout=timeout)
    if as_json:
        print_json(done)
    elif done.busy:
        say("Another sender is at work.")
    else:
        say(f"{done.sent} were sent, {done.missed} could not be sent, {done.given_up} were given up.")
    return 1 if done.missed or done.given_up else 0


@app.command(epilog=example("understudy notify test churn"))
def test(model: Model, *, as_json: Json = False) -> int:
    """Send a test message to each address of a model, and say which arrived; 1 if one did not."""
    from flows.notify.trial import try_addresses

    where = settings()
    tried = try_addresses(where, model)
    if as_json:
        print_json([one._asdict() for one in tried])
    else:
        _say_tried(model, tried)
    return 0 if all(one.arrived for one in tried) else 1


def _say_tried(model: str, tried: "list[Tried]") -> None:
    if not tried:
        say(f"Nobody is named, only the log says it: add notify.urls to the file of {model}, then `understudy init`.")
    for one in tried:
        say(f"{one.address}: {'arrived' if one.arrived else one.said}")
