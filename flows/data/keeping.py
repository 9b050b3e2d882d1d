"""Write a table whole or not at all."""

import contextlib
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from registry.errors import StoreUnavailable


def keep(frame: pl.DataFrame, file: Path, *, what: str, metadata: dict[str, str] | None = None) -> Path:
    """
    Write Parquet for its owner alone; an earlier file is replaced whole.

    Args:
        frame: The table.
        file: Where; its folder is made.
        what: Says in a refusal what did not happen.
        metadata: Kept with it.

    Raises:
        StoreUnavailable: If it cannot be written; an earlier file stays as it was.
    """
    draft = file.with_suffix(".tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600)  # rows of people; for nobody else
        frame.write_parquet(draft, metadata=metadata)
        return draft.replace(file)
    except (OSError, PolarsError) as error:  # of a full disk polars says that it computed wrongly
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        said = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise StoreUnavailable(
            what, f"{file}: {said}.", "Free some space, or set UNDERSTUDY_HOME to a folder that you may write to."
        ) from error
