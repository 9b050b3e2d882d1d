"""What every check is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from flows.config.aftercare import Validation
from flows.validation.asking import Caller
from flows.validation.deadline import Deadline
from flows.validation.holdout import HeldOut
from flows.validation.lone_router import LoneRouter
from flows.validation.memory_watch import MemoryWatch
from registry.records.version import ModelVersion

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """
    A version that is being served by a router of its own.

    Attributes:
        rules: Budgets, slices and tests.
        rows: Newest rows of the holdout, as JSON takes them: m of them.
        asked: The same rows with what is known of them.
        holdout: All rows.
        watch: Knows the memory of the router's worker, and what it was before it loaded the version.
        trivial: Name of a model that the same router serves, and that is as small as can be.
        as_rows: Turns a table into rows as JSON takes them.
    """

    rules: Validation
    version: ModelVersion
    router: LoneRouter
    deadline: Deadline
    rows: list[Row]
    asked: HeldOut
    holdout: HeldOut
    watch: MemoryWatch
    trivial: str
    as_rows: Callable[[pl.DataFrame], list[Row]]

    def another_caller(self) -> Caller:
        """Open a connection."""
        return Caller(self.router, self.version.model, self.deadline)
