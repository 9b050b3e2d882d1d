"""What is known of the columns of healthy rows, and what was found in others."""

from typing import Literal

from registry.records.base import Record

CONTRACT_FILE = "contract.json"

Rule = Literal["type", "null", "negative", "far", "range", "level"]


class NumberRule(Record, frozen=True, kw_only=True):
    """
    A numeric column.

    Attributes:
        nullable: Whether it was ever empty.
        low, high: Smallest and largest value that was seen; None if it was always empty.
        floor: Whether 0 is a bound: no value was below, and counts, or values close to 0, were seen.
    """

    column: str
    nullable: bool
    low: float | None
    high: float | None
    floor: bool = False


class LevelRule(Record, frozen=True, kw_only=True):
    """
    A categorical column.

    Attributes:
        nullable: Whether it was ever empty.
        levels: That were seen, sorted; none if they were too many to list.
        open: Whether new levels kept coming while it was learned, so that a new one is no mistake.
    """

    column: str
    nullable: bool
    levels: tuple[str, ...]
    open: bool = False


class Contract(Record, frozen=True, kw_only=True):
    """
    What healthy rows look like; kept as `contract.json` among the files of a version.

    Attributes:
        rows: How many it was learned from.
    """

    rows: int
    numbers: tuple[NumberRule, ...] = ()
    levels: tuple[LevelRule, ...] = ()
    format: str = "understudy-contract-1"


class Finding(Record, frozen=True, kw_only=True):
    """
    How many rows break one rule of one column.

    Attributes:
        rule: "type": no number; "null": empty, and it never was; "negative": below a floor of 0; "far": ten times
            as far out as anything that was seen; "range": outside of what was seen, with room; "level": never seen.
        share: Of all rows that were checked.
        examples: Up to five values.
        quarantined: Whether these rows are set aside; what many rows do is drift, and only reported.
    """

    column: str
    rule: Rule
    rows: int
    share: float
    examples: tuple[str, ...] = ()
    quarantined: bool = True


class ContractReport(Record, frozen=True, kw_only=True):
    """
    What came of checking rows against a contract.

    Attributes:
        rows: That were checked.
        quarantined: That were set aside; a row may break several rules.
        findings: The most frequent first.
        file: Where the rows are that were set aside; empty if none is.
    """

    rows: int
    quarantined: int
    findings: tuple[Finding, ...] = ()
    file: str = ""

    def said(self) -> str:
        """Say it in one sentence."""
        if not self.findings:
            return f"{self.rows} rows keep the contract"
        found = "; ".join(f"{one.column} {one.rule} in {one.rows} ({', '.join(one.examples)})" for one in self.findings)
        return f"{self.quarantined} of {self.rows} rows were set aside: {found}"
