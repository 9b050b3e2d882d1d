"""An object of the user's own, e.g. in front of a feature store."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import polars as pl

from flows.data.sources.source import Source
from flows.errors import DataError, FlowsError

PREFIX = "python:"


class Code:
    """
    A Source that somebody else has written; its mistakes become refusals.

    Args:
        said: `python:package.module:attribute`; the attribute is a Source, or returns one when it is called.

    Raises:
        DataError: If there is no such object, or it is no Source.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._source = _loaded(said)

    def describe(self) -> str:
        """Let it name itself."""
        return str(self._guarded("describe"))

    def version(self) -> str:
        """Let it name its state."""
        return str(self._guarded("version"))

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Let it read.

        Raises:
            DataError: If it raises something, or returns anything but a table.
        """
        frame = self._guarded("read", columns, since, until)
        if not isinstance(frame, pl.DataFrame):
            raise self._refused(f"read returned {type(frame).__name__}, not a polars DataFrame")
        return frame

    def _guarded(self, name: str, *given: Any) -> Any:
        try:
            return getattr(self._source, name)(*given)
        except FlowsError:
            raise
        except Exception as error:
            raise self._refused(f"{name} raised {type(error).__name__}: {error}") from error

    def _refused(self, why: str) -> DataError:
        return _refusal(self._said, f"Its {why}.", "Mend that code; see flows.data.sources.source.Source.")


def _loaded(said: str) -> Source:
    module, colon, attribute = said.removeprefix(PREFIX).partition(":")
    if not (module and colon and attribute):
        raise _refusal(said, "It names no attribute.", "Write it as python:package.module:attribute.")
    try:
        found = _imported(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        made = found() if isinstance(found, type) or not isinstance(found, Source) else found
    except Exception as error:
        why = f"{type(error).__name__}: {error}."
        raise _refusal(said, why, "Name something that can be imported from here, or install it.") from error
    if not isinstance(made, Source):
        raise _refusal(
            said, f"{attribute} is no Source.", "Give it describe(), version() and read(columns, since, until)."
        )
    return made


def _imported(module: str) -> Any:
    """Import it; the current folder counts, as for `python -m`."""
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109  as Python itself writes it
        sys.path.append(os.getcwd())  # noqa: PTH109
    return importlib.import_module(module)


def _refusal(said: str, why: str, mend: str) -> DataError:
    return DataError(f"The source {said} was not read.", why, mend)
