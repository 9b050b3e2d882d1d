"""What a validation found: frozen, and kept with the version."""

from collections.abc import Sequence
from typing import Self

from registry.records.base import Record


class Check(Record, frozen=True, kw_only=True):
    """
    One thing that was looked at.

    Attributes:
        name: E.g. "latency", or "slice: pensioners".
        value: What was measured, in the unit that `said` names; None if nothing was.
        bound: What it is held against.
        said: One sentence for people, with the numbers.
    """

    name: str
    passed: bool
    value: float | None = None
    bound: float | None = None
    said: str


class ValidationReport(Record, frozen=True, kw_only=True):
    """
    What a version has shown in a router of its own.

    Attributes:
        passed: Whether every check did.
        artifact: Digest of the files that were asked; another artifact has not been validated.
        duration_s: From the start of the router to its end.
    """

    passed: bool
    checks: tuple[Check, ...]
    artifact: str
    duration_s: float

    @classmethod
    def of(cls, checks: Sequence[Check], *, artifact: str, duration_s: float) -> Self:
        """Join checks; there must be some to pass."""
        passed = bool(checks) and all(check.passed for check in checks)
        return cls(passed=passed, checks=tuple(checks), artifact=artifact, duration_s=round(duration_s, 3))

    @property
    def failures(self) -> tuple[Check, ...]:
        """Checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def said(self) -> str:
        """Why it was rejected, or that it was not; one line."""
        if self.passed:
            return f"It passed {len(self.checks)} checks in a router of its own."
        return "; ".join(f"{check.name}: {check.said}" for check in self.failures)

    def markdown(self) -> str:
        """Write a table for cards and artifacts."""
        rows = [f"| {_cell(c.name)} | {'yes' if c.passed else '**no**'} | {_cell(c.said)} |" for c in self.checks]
        verdict = "passed" if self.passed else "**failed**"
        head = f"Validated in a router of its own: {verdict}, {self.duration_s:.1f} s."
        return "\n".join([head, "", "| check | passed | what was seen |", "|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
