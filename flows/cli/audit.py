"""`understudy audit`: who did what, and whether the trail is intact."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.office import opened_registry
from flows.cli.options import AnyModel, Json, Limit, example, moment
from flows.cli.screen import facts, print_json, say, table

if TYPE_CHECKING:
    from datetime import datetime

    from registry.records.audit import AuditEntry
    from registry.trail.check import Copy
    from registry.trail.export import Format, Seal

FINDING = 1
app = typer.Typer(no_args_is_help=False)
Since = Annotated[
    str | None, typer.Option(help="Only what happened at or after it (ISO 8601).", metavar="MOMENT", show_default=False)
]
OfModel = Annotated[str | None, typer.Option("--model", help="Only entries of this model.", show_default=False)]


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="audit", epilog=example("understudy audit verify"))


@app.callback(invoke_without_command=True)
def audit(context: typer.Context, *, as_json: Json = False) -> None:
    """Show who did what to which model, why and when."""
    if context.invoked_subcommand is None:
        list_entries(None, as_json=as_json)


@app.command(
    "list",
    epilog=example("understudy audit list churn --limit 50", "understudy audit list --action rollout --actor ann"),
)
def list_entries(
    model: AnyModel = None,
    *,
    action: Annotated[
        str | None, typer.Option(help="Only these, e.g. rollout.paused; rollout for all of rollouts.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this person, or part of Understudy, did.")] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List entries, newest first."""
    with opened_registry(model) as registry:
        entries = registry.audit(model, limit=limit, action=action, actor=actor, since=_moment(since))
    if as_json:
        return print_json(entries)
    rows = [(e.sequence, e.at, e.actor, e.action, e.model, e.subject, e.reason) for e in entries]
    return say(table("Audit trail", ("#", "at", "actor", "action", "model", "subject", "reason"), rows))


@app.command(epilog=example("understudy audit show 42"))
def show(
    sequence: Annotated[int, typer.Argument(help="Number of the entry.", metavar="SEQ", min=1)],
    *,
    as_json: Json = False,
) -> None:
    """Show one entry: who, why, and what is different since."""
    with opened_registry() as registry:
        entry = registry.audit_entry(sequence)
    if as_json:
        return print_json(entry)
    names = ("at", "actor", "action", "model", "subject", "reason", "previous", "hash")
    changes = table("Before and after", ("what", "before", "after"), differences(entry))
    return say(facts(f"Entry {sequence}", {name: getattr(entry, name) for name in names}), changes)


@app.command(epilog=example("understudy audit verify", "understudy audit verify --file trail.jsonl"))
def verify(
    *,
    file: Annotated[
        Path | None, typer.Option(help="Check this copy by itself, instead of the trail here.", show_default=False)
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="With --file: also compare it with the trail here.")] = False,
    as_json: Json = False,
) -> None:
    """Check the hash chain; exit code 1 if anything was altered or removed."""
    if file is not None:
        return _verify_copy(file, here=here, as_json=as_json)
    with opened_registry() as registry:
        findings = registry.verify_audit()
    return _told(findings, "The audit trail is intact.", {}, as_json=as_json)


@app.command(
    epilog=example("understudy audit export trail.jsonl", "understudy audit export - --model churn --since 2026-03-01")
)
def export(
    file: Annotated[str, typer.Argument(help="Ends in .jsonl or .csv; - for JSON lines on standard output.")],
    *,
    since: Since = None,
    model: OfModel = None,
    as_json: Json = False,
) -> None:
    """Copy the trail, oldest first, so that the copy can be checked by itself."""
    seal = _exported(file, _form(file), model, _moment(since))
    if file == "-":
        return None
    if as_json:
        return print_json({"file": file, **seal.to_dict()})
    check = f"Check it with `understudy audit verify --file {file}`."
    return say(f"{seal.entries} entries; the trail ends at {seal.head_sequence} with {seal.head_hash}.", check)


def differences(entry: "AuditEntry") -> list[tuple[str, str, str]]:
    """Say what changed, one value a row, named by its path; what stayed the same comes last, after an equals sign."""
    before, after = dict(_leaves(entry.before)), dict(_leaves(entry.after))
    names = dict.fromkeys([*before, *after])
    rows = [(name, before.get(name, "-"), after.get(name, "-")) for name in names]
    changed = [row for row in rows if row[1] != row[2]]
    return changed + [(name, was, "=") for name, was, now in rows if was == now]


def _leaves(value: object, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{path}.{name}" if path else name)]
    if not path:
        return []
    return [(path, "none" if value is None else str(value))]


def _moment(since: str | None) -> "datetime | None":
    return None if since is None else moment(since)


def _form(file: str) -> "Format":
    if file == "-" or file.endswith(".jsonl"):
        return "jsonl"
    if file.endswith(".csv"):
        return "csv"
    raise typer.BadParameter(f"{file!r} ends neither in .jsonl nor in .csv.", param_hint="FILE")


def _exported(file: str, form: "Format", model: str | None, since: "datetime | None") -> "Seal":
    import sys

    from registry.trail.export import write_copy

    with opened_registry(model) as registry, registry.audit_trail(model, since) as (entries, head):
        if file == "-":
            return write_copy(sys.stdout, entries, form, head=head, model=model, since=since)
        with Path(file).open("w", encoding="utf-8", newline="") as opened:
            return write_copy(opened, entries, form, head=head, model=model, since=since)


def _verify_copy(file: Path, *, here: bool, as_json: bool) -> None:
    from registry.trail.check import check_copy

    copy = check_copy(file)
    findings = copy.findings + (_other_here(copy) if here else [])
    head = f"entry {copy.seal.head_sequence} with {copy.seal.head_hash}" if copy.seal else "an unknown entry"
    fine = f"The copy of {copy.entries} entries is intact; the trail ended at {head}."
    return _told(findings, fine, {"entries": copy.entries, "seal": copy.seal}, as_json=as_json)


def _other_here(copy: "Copy") -> list[str]:
    """Whoever computed a copy anew could not change the trail."""
    with opened_registry() as registry, registry.audit_trail() as (entries, _):
        known = {entry.sequence: entry.hash for entry in entries}
    other = [number for number, digest in copy.hashes.items() if known.get(number) != digest]
    return (
        [f"Entry {other[0]} of the copy is not that of the trail here, nor are {len(other) - 1} more."] if other else []
    )


def _told(findings: list[str], fine: str, more: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"intact": not findings, "findings": findings, **more})
    else:
        say(*findings) if findings else say(fine)
    if findings:
        raise typer.Exit(FINDING)
