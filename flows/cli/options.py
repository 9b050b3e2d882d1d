"""Options that many commands share."""

import getpass
from datetime import datetime
from typing import Annotated

import typer

from flows.errors import ConfigError


def example(*lines: str) -> str:
    """Show how a command is used, below its help."""
    return "Example:  " + "    ".join(lines)


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
        return utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise ConfigError(f"{text!r} is no moment.", f"{error}.", "Write it as 2026-03-01T12:00:00+00:00.") from error


def _said(text: str) -> str:
    """Refuse a blank: the audit trail is for people."""
    if not text.strip():
        raise typer.BadParameter("it is empty; the audit trail must say something.")
    return text


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Model = Annotated[str, typer.Argument(help="Name of the model.", show_default=False)]
AnyModel = Annotated[str | None, typer.Argument(help="Name of the model; all if absent.", show_default=False)]
Version = Annotated[str, typer.Argument(help="A registered version, e.g. v1.2.0.", show_default=False)]
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
