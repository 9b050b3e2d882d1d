"""Files that a command is asked to write."""

from pathlib import Path

from flows.errors import ConfigError


def unwritable(file: Path) -> str | None:
    """Say why a file cannot be written there; a device or a pipe would be replaced by a file of its name."""
    if file.is_dir():
        return f"{file} is a folder"
    if file.exists() and not file.is_file():
        return f"{file} is no plain file"
    return None if file.parent.is_dir() else f"there is no folder {file.parent}"


def refuse_unwritable(html: Path | None, what: str) -> None:
    """
    Refuse a place for a report before the work, not after it.

    Args:
        html: Where the report is wanted.
        what: What was not done, e.g. "Nothing was replayed."

    Raises:
        ConfigError: If it is a folder, a device, or in no folder.
    """
    why = None if html is None else unwritable(html)
    if why is not None:
        raise ConfigError(what, f"{why[0].upper()}{why[1:]}.", "Give --html a file in a folder that exists.")
