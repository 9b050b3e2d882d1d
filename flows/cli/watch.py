"""`understudy watch`: a rollout and every variant, live."""

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import opened_registry, settings
from flows.cli.options import Json, example
from flows.cli.screen import console, plain
from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.cli.live.looking import Watcher

_EVERY = 2.0


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy watch churn", "understudy watch churn --json --every 5 >> churn.ndjson"))(
        watch
    )


def watch(
    model: Annotated[
        str | None,
        typer.Argument(help="Name of the model; the one that is rolled out if absent.", metavar="MODEL"),
    ] = None,
    *,
    every: Annotated[
        float | None, typer.Option(help="Seconds between two looks.", min=0.2, show_default="2; with --json one look")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    looks: Annotated[int | None, typer.Option(help="End after so many looks.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """
    Watch a rollout, every variant and the new champion after it; q or Ctrl-C ends it.

    A router or registry that is away is waited for. With --json and --every: one object per line.
    """
    from flows.cli.live.looking import watching

    name = _chosen(model)
    with watching(settings(), name) as watcher:
        if once or (as_json and every is None and looks is None):
            return _once(watcher, as_json=as_json)
        if as_json:
            return _stream(watcher, every or _EVERY, looks)
        return _live(watcher, every or _EVERY, looks)


def _chosen(model: str | None) -> str:
    """The model that was named; else the only one that is rolled out, or watched, or there at all."""
    with opened_registry(model) as registry:
        if model is not None:
            _refuse_planless(registry.plan(model) is None, model)
            return model
        known = registry.models()
        moving = [one for one in known if registry.active_rollout(one) is not None]
        watched = [one for one in known if registry.watch(one) is not None]
    for found in (moving, watched, known):
        if len(found) == 1:
            return found[0]
    why = f"Rolled out are {', '.join(moving) or 'none'}; known are {', '.join(known) or 'none'}."
    mend = "Name one: `understudy watch MODEL`." if known else "Register a model: `understudy init FILE.yaml`."
    raise ConfigError("Nothing is watched: no model was named.", why, mend)


def _refuse_planless(planless: bool, model: str) -> None:
    from registry.errors import NotFound

    if planless:
        mend = f"Install a first champion: `understudy train {model}`."
        raise NotFound(f"{model!r} has no traffic plan.", "It has no champion yet.", mend)


def _once(watcher: "Watcher", *, as_json: bool) -> None:
    from flows.cli.live.scene import scene
    from flows.cli.screen import print_json

    look = watcher.look()
    watcher.refuse_away()
    paper = console()
    print_json(look.document()) if as_json else paper.print(scene(look, paper.width))


def _stream(watcher: "Watcher", every: float, looks: int | None) -> None:
    import time

    import msgspec

    while True:
        typer.echo(msgspec.json.encode(plain(watcher.look().document())).decode())
        looks = None if looks is None else looks - 1
        if looks == 0:
            return
        time.sleep(every)


def _live(watcher: "Watcher", every: float, looks: int | None) -> None:
    """Draw in place where a person sits, else one picture below the other."""
    from rich.live import Live

    from flows.cli.live.keys import listening, told_to_quit
    from flows.cli.live.scene import fitted, scene

    paper = console()
    shown = Live(console=paper, screen=True, auto_refresh=False) if paper.is_terminal else None
    with listening() as keys, shown or contextlib.nullcontext():
        while True:
            look = watcher.look()
            if shown is None:
                paper.print(scene(look, paper.width))
            else:
                shown.update(fitted(look, paper, keys=keys), refresh=True)
            looks = None if looks is None else looks - 1
            if looks == 0 or told_to_quit(every, keys=keys):
                return
