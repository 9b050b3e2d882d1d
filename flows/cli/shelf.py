"""`understudy models archive | prune`: put aside what nobody uses, and free its space."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import models
from flows.cli.office import opened_registry, settings, version_of
from flows.cli.options import Actor, AnyModel, Json, Model, Reason, Version, example, moment
from flows.cli.screen import facts, print_json, say, table

if TYPE_CHECKING:
    from flows.ops.retention import Pruned

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it, only say what would change.")]


def add_to(_parent: typer.Typer) -> None:
    """Add the commands below `models`."""
    models.app.command(epilog=example('understudy models archive churn v1.1.0 --reason "never used" --yes'))(archive)
    models.app.command(epilog=example("understudy models prune churn", "understudy models prune --yes"))(prune)


def archive(
    model: Model,
    version: Version,
    *,
    reason: Reason,
    actor: Actor,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a version aside; never one in production, on its way there, or that a rollback would bring back."""
    with opened_registry(model) as registry:
        version_of(registry, model, version)
        found = registry.archive(model, version, actor=actor, reason=reason, at=moment(None), dry_run=not yes)
    said = {"model": model, "version": version, "before": found.stage, "stage": "archived", "dry_run": not yes}
    if as_json:
        return print_json(said)
    return say(facts(f"{model} {version}", said), "Done." if yes else "Nothing was changed; --yes does it.")


def prune(
    model: AnyModel = None,
    *,
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why; written into the audit trail.")] = "retention",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """
    Delete artifacts of the oldest archived and rejected versions, as `retention` of the configuration says.

    Versions, metrics and history stay for ever. Never deleted: what is in production, in a plan or a rollout, what a
    rollback would bring back, the champion's parent, and what a router of this machine may start with.
    """
    from flows.ops.retention import prune_all

    chosen = None if model is None else [model]
    with opened_registry(model) as registry:
        found = prune_all(settings(), registry, chosen, actor=actor, reason=reason, at=moment(None), dry_run=not yes)
    if as_json:
        return print_json([_plain(one) for one in found])
    return _show(found, yes=yes)


def _plain(pruned: "Pruned") -> dict[str, object]:
    return {
        "model": pruned.model,
        "dry_run": pruned.dry_run,
        "deleted": dict(pruned.deleted),
        "kept": dict(pruned.kept),
        "freed_bytes": pruned.freed,
    }


def _show(found: "list[Pruned]", *, yes: bool) -> None:
    word = "deleted" if yes else "would go"
    rows = [(one.model, version, word, f"{size:,} bytes") for one in found for version, size in one.deleted.items()]
    rows += [(one.model, version, "stays", why) for one in found for version, why in one.kept.items()]
    if rows:
        say(table("Archived and rejected versions", ("model", "version", "artifact", "why, or size"), rows))
    freed = sum(one.freed for one in found)
    say(f"{freed:,} bytes {'were freed' if yes else 'would be freed; --yes does it'}.")
