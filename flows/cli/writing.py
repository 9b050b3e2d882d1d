"""Files that a command is asked to write."""

from pathlib import Path

from flows.errors import ConfigError


def refuse_unwritable(html: Path | None, what: str) -> None:
    """
    Refuse a place for a report before the work, not after it.

    Args:
        html: Where the report is wanted.
        what: What was not done, e.g. "Nothing was replayed."

    Raises:
        ConfigError: If it is a folder, or in none.
    """
    if html is None or (html.parent.is_dir() and not html.is_dir()):
        return
    why = f"{html} is a folder." if html.is_dir() else f"There is no folder {html.parent}."
    raise ConfigError(what, why, "Give --html a file in a folder that exists.")
