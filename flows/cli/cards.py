"""`understudy models diff | card`: what changed between two versions, and what to know of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import models
from flows.cli.office import opened_registry, settings, version_of
from flows.cli.options import Json, Model, Version, example
from flows.cli.screen import print_json, say, table
from flows.cli.writing import refuse_unwritable

if TYPE_CHECKING:
    from flows.reports.versions.difference import Difference
    from flows.reports.versions.writing import Block
    from registry.records.version import ModelVersion
    from registry.store.registry import Registry

_ROWS = "Metrics are of the same holdout rows."
_OTHER_ROWS = "Metrics are of different holdout rows: `understudy compare` asks both about the same."


def add_to(_parent: typer.Typer) -> None:
    """Add the commands below `models`."""
    models.app.command(epilog=example("understudy models diff churn v1.1.0 v1.2.0"))(diff)
    models.app.command(epilog=example("understudy models card churn v1.2.0 --html card.html"))(card)


def diff(
    model: Model,
    before: Annotated[str, typer.Argument(help="A registered version.", metavar="BEFORE", show_default=False)],
    after: Annotated[str, typer.Argument(help="The version it is compared with.", metavar="AFTER", show_default=False)],
    *,
    as_json: Json = False,
) -> None:
    """Show what changed between two versions: features, parameters, metrics, data, code and libraries."""
    from flows.reports.versions.difference import difference

    with opened_registry(model) as registry:
        found = difference(version_of(registry, model, before), version_of(registry, model, after))
    return print_json(found) if as_json else _show(found)


def _show(found: "Difference") -> None:
    if not found.changes:
        return say(f"{found.before} and {found.after} of {found.model} differ in nothing that is kept.")
    columns = ("what", "name", found.before, found.after, "effect")
    rows = [(change.part, change.name, change.before, change.after, change.effect) for change in found.changes]
    say(table(f"{found.model}: {found.before} to {found.after}", columns, rows))
    return say(_ROWS if found.same_rows else _OTHER_ROWS) if found.of("metrics") else None


def card(
    model: Model,
    version: Version,
    *,
    html: Annotated[Path | None, typer.Option(help="Write one HTML file that works offline, instead.")] = None,
    as_json: Json = False,
) -> None:
    """Print the model card: what a person should know before trusting a version."""
    from flows.reports.versions.card import card_title
    from flows.reports.versions.writing import as_html, as_markdown

    refuse_unwritable(html, "No card was written.")
    with opened_registry(model) as registry:
        found = version_of(registry, model, version)
        blocks = _blocks(registry, found)
    title = card_title(found)
    written = None if html is None else str(html.absolute())
    if html is not None:
        html.write_text(as_html(title, blocks), encoding="utf-8")
    if as_json:
        return print_json({"model": model, "version": version, "html": written, "card": as_markdown(title, blocks)})
    return typer.echo(f"Written: {written}" if written else as_markdown(title, blocks).rstrip())


def _blocks(registry: "Registry", version: "ModelVersion") -> "list[Block]":
    from flows.reports.versions.card import card

    name = version.version
    decisions = [one for one in registry.decisions(version.model) if one.challenger == name]
    history = [entry for entry in registry.audit(version.model) if entry.subject == name]
    written = _written(version)
    return card(
        version,
        about=_about(version.model),
        decisions=decisions,
        history=history,
        holdout=_part(written, "Holdout").partition("\n")[0],
        tried=[(name, loss) for name, _, loss in _settings(_part(written, "Choice"))],
    )


def _written(version: "ModelVersion") -> str:
    """What the training wrote beside the model; empty if it was not made here, or is gone."""
    from registry.artifacts import ArtifactStore
    from registry.errors import RegistryError

    try:
        raw = ArtifactStore(settings().models_dir).read(
            version.model, version.version, "card.md", version.artifact_digest
        )
    except (RegistryError, OSError):
        return ""
    return raw.decode(errors="replace")


def _part(markdown: str, title: str) -> str:
    return markdown.partition(f"\n## {title}\n\n")[2].partition("\n## ")[0]


def _settings(choice: str) -> "list[tuple[str, str, str]]":
    """Read lines such as `- linear, memory all: 0.33 (0.30, 0.36)`."""
    return [line[2:].rpartition(": ") for line in choice.splitlines() if line.startswith("- ") and ": " in line]


def _about(model: str) -> str:
    """In the words of its configuration, if that can still be read."""
    from flows.config.load import registered_config
    from flows.errors import FlowsError
    from registry.errors import RegistryError

    try:
        return registered_config(model, settings()).description
    except (FlowsError, RegistryError):
        return ""
