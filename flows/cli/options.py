"""Options that many commands share."""

import getpass
from datetime import datetime
from typing import Annotated

import typer

from flows.errors import ConfigError

_YEARS = range(1970, 2200)  # leaves room to look back and ahead


def example(*lines: str) -> str:
    """Show how a command is used, below its help."""
    return "\n\n".join(f"Example:  {line}" for line in lines)


def login_name() -> str:
    """Who sits here; "unknown" where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def moment(text: str | None) -> datetime:
    """
    Read an ISO 8601 date or time, naive ones as UTC; now if absent.

    Raises:
        ConfigError: If it is neither.
    """
    from datetime import UTC

    from registry.records.base import utc

    if text is None:
        return datetime.now(UTC)
    try:
        found = utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r} is no moment.", f"{error}.", "Write it as 2026-03-01T12:00:00+00:00.") from error
    if found.year not in _YEARS:
        why = f"The year {found.year} lies outside {_YEARS.start} to {_YEARS.stop - 1}."
        raise ConfigError(f"{text!r} is no moment of any model.", why, "Write it as 2026-03-01T12:00:00+00:00.")
    return found


def _said(text: str) -> str:
    """Refuse a blank: the audit trail is for people."""
    if not text.strip():
        raise typer.BadParameter("it is empty, and the audit trail must say something.")
    return text


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Model = Annotated[str, typer.Argument(help="Name of the model.", metavar="MODEL", show_default=False)]
AnyModel = Annotated[
    str | None, typer.Argument(help="Name of the model; all if absent.", metavar="MODEL", show_default=False)
]
Version = Annotated[
    str, typer.Argument(help="A registered version, e.g. v1.2.0.", metavar="VERSION", show_default=False)
]
Actor = Annotated[
    str,
    typer.Option(
        help="Who does it; written into the audit trail.",
        default_factory=login_name,
        show_default="you",
        callback=_said,
    ),
]
Reason = Annotated[str, typer.Option(help="Why; written into the audit trail.", show_default=False, callback=_said)]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Play another moment (ISO 8601), e.g. that of a replay.", metavar="MOMENT")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]
