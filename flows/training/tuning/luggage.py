"""Hand a prepared fold to other processes: its arrays by files that all of them map into memory once."""

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flows.errors import DataError


@contextmanager
def packed(race: Any, beside: Path | None = None) -> Iterator[Path]:
    """
    Write *race* into a folder of its own that only this user may read, deleted at the end.

    Args:
        race: Prepared fold.
        beside: Where that folder is made, so that it goes with what an event keeps; a temporary place if absent.

    Raises:
        DataError: If it cannot be written down, e.g. because it holds an open handle.
    """
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="understudy-fold-", dir=beside) as name:
        folder = Path(name)
        write(race, folder)
        yield folder


def write(race: Any, folder: Path) -> None:
    """Write *race* into *folder*; large arrays become files of their own."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    buffers: list[pickle.PickleBuffer] = []
    try:
        raw = pickle.dumps(race, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            "Nothing was tuned.",
            f"What {type(race).__module__} prepares cannot be handed to another process: {error}.",
            "Set training.engine to local and training.workers to 1, or leave that family out.",
        ) from error
    for place, buffer in enumerate(buffers):
        with (folder / f"{place}.bytes").open("wb") as file:
            file.write(buffer.raw())
    (folder / "race").write_bytes(raw)


def unpacked(folder: Path) -> Any:
    """Read it again; only of a folder that this user, or somebody as trusted, has written: it is run."""
    files = sorted(folder.glob("*.bytes"), key=lambda file: int(file.stem))
    return pickle.loads((folder / "race").read_bytes(), buffers=[_mapped(file) for file in files])  # noqa: S301


def _mapped(file: Path) -> Any:
    return np.memmap(file, mode="r") if file.stat().st_size else b""
