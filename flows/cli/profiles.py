"""A profile of a table as a file: what `understudy drift` needs of a reference, without a single row."""

from pathlib import Path

import msgspec

from flows.cli.pairs import Side, Sorted
from flows.detection.univariate.profile import ReferenceProfile, profile_table
from flows.errors import DataError

SUFFIX = ".json"


def is_profile(path: str) -> bool:
    """Whether a reference is a profile."""
    return path.lower().endswith(SUFFIX)


def read_profile(path: str) -> ReferenceProfile:
    """
    Read a profile.

    Raises:
        DataError: If there is none.
    """
    try:
        return ReferenceProfile.from_json(Path(path).read_bytes())
    except OSError as error:
        raise DataError(
            f"The profile {path} was not read.", f"{error.strerror or error}.", "Give a profile or a table."
        ) from error
    except (msgspec.MsgspecError, ValueError) as error:
        mend = "Make one: `understudy drift --reference TABLE --current TABLE --save-profile FILE.json`."
        raise DataError(f"The profile {path} was not read.", f"It is none: {error}.", mend) from error


def save_profile(file: Path, table: Side, chosen: Sorted, threads: int) -> None:
    """Write the profile of a table; a reader sees a whole file or none."""
    from flows.reports.page import keep

    made = profile_table(table.frame, chosen.numeric, chosen.categorical, threads=threads)
    keep({file: made.to_json()})
