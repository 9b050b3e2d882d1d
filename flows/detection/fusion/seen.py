"""What the decision asks of a drift report: any record with these fields will do."""

from typing import Protocol


class FeatureSeen(Protocol):
    """One feature of a drift report."""

    @property
    def name(self) -> str:
        """Of the column."""

    @property
    def kind(self) -> str:
        """Numeric or categorical."""

    @property
    def enough(self) -> bool:
        """It had values enough to compare."""

    @property
    def statistic(self) -> float:
        """Kolmogorov-Smirnov D, or Cramer's V."""

    @property
    def psi(self) -> float:
        """Population stability index."""

    @property
    def missing_change(self) -> float:
        """Share of missing values now minus that of the reference."""

    @property
    def gone(self) -> bool:
        """There was a column, and is none."""

    @property
    def doubt(self) -> float:
        """Smallest corrected p-value behind the verdict."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What a person should know."""


class ReportSeen(Protocol):
    """A drift report."""

    @property
    def drifted(self) -> tuple[FeatureSeen, ...]:
        """Features that drifted."""
