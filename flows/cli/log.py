"""`understudy log`: what the event log holds, Parquet tables from it, and how long it is kept."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import settings
from flows.cli.options import DryRun, Json, example, moment
from flows.cli.screen import facts, print_json, say, table
from flows.errors import ConfigError

if TYPE_CHECKING:
    from registry.home import Settings

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    said = "Event log: what there is, Parquet tables from it, how long it is kept."
    group = typer.Typer(no_args_is_help=True, help=said, epilog=example("understudy log status"))
    group.command(epilog=example("understudy log status"))(status)
    group.command(epilog=example("understudy log compact --before 2026-03-01"))(compact)
    group.command(epilog=example("understudy log retain --keep 90d", "understudy log retain --keep 90d --for-real"))(
        retain
    )
    app.add_typer(group, name="log")


def status(*, as_json: Json = False) -> None:
    """Say how many segments there are, and what they hold."""
    from flows.data.eventlog.place import lake_of, log_readers
    from flows.data.eventlog.survey import survey

    place = settings()
    lake = lake_of(place)
    found = survey(place.events_dir, lake, log_readers(place))
    unlogged = _unlogged(place)
    if as_json:
        return print_json({"log": found, "unlogged": unlogged})
    columns = ("role", "segments", "bytes", "open", "waiting", "unread", "oldest_days", "torn")
    say(table("Segments", columns, [[getattr(role, name) for name in columns] for role in found.roles]))
    held = {"rows": found.lake_rows, "bytes": found.lake_bytes, "parts": found.lake_parts}
    return say(
        facts(f"Parquet tables in {lake.root}", held),
        f"Unlogged by the router: {'it does not answer' if unlogged is None else unlogged}",
    )


def compact(
    *,
    before: Annotated[
        str | None, typer.Option(help="Only segments begun before this moment (ISO 8601).", metavar="MOMENT")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Turn finished segments into Parquet files by date and model; every line becomes one row, once."""
    from flows.data.eventlog.compact import compact as run
    from flows.data.eventlog.place import lake_of, served_features

    place = settings()
    until = moment(before) if before else None
    lake = lake_of(place)
    found = run(place.events_dir, lake, before=until, schema=served_features(place), dry_run=dry_run)
    if as_json:
        return print_json(found)
    if dry_run:
        return say(f"{found.segments} segments with {found.bytes:,} bytes would be compacted.")
    return say(
        f"{found.segments} segments with {found.bytes:,} bytes became {found.rows:,} rows in {found.parts} files"
        f" under {lake.root}; {found.torn} torn lines."
    )


def retain(
    *,
    keep: Annotated[str, typer.Option(help="Age up to which segments stay: hours, days or weeks.", metavar="90d")],
    for_real: Annotated[
        bool, typer.Option("--for-real", help="Remove them; without it, only say what would go.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove old segments that are compacted and read by index and shadow; the Parquet files stay."""
    from flows.data.eventlog.place import lake_of, log_readers
    from flows.data.eventlog.retain import retain as run

    place, spare = settings(), dry_run or not for_real
    found = run(place.events_dir, lake_of(place), log_readers(place), keep=_span(keep), dry_run=spare)
    if as_json:
        return print_json(found)
    if found.kept:
        say(table("Old, but needed", ("segment", "why"), [(one.name, one.reason) for one in found.kept]))
    verb = "would be" if spare else "were"
    say(f"{len(found.removed)} segments with {found.bytes:,} bytes {verb} removed.")
    return say("Nothing was removed; `--for-real` removes them.") if spare and found.removed else None


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text.strip())
    if found is None:
        raise ConfigError(f"{text!r} is no age.", "It needs a whole number and h, d or w.", "Write e.g. `--keep 90d`.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _unlogged(place: "Settings") -> int | None:
    """Events that the disk refused, of one worker; None if the router does not answer."""
    import httpx

    try:
        answer = httpx.get(f"{place.router_url}/readyz", timeout=2, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return int(answer.get("unlogged", 0))
