"""Check rows against a contract: what is broken is set aside, what has drifted is let through and said."""

from dataclasses import dataclass

import polars as pl

from flows.data.contract.records import Contract, ContractReport, Finding
from flows.data.contract.schema import Failures, failures
from flows.data.untyped import BETWEEN, UNTYPED, WITHIN

BROKEN = "_broken"
"""Column of rows that were set aside: what is wrong with them."""
FREQUENT = 0.01  # of all rows, or of the newest tenth: what so many do is drift
FEW = 5.0  # rows that do not make a new frequent value, however few there are in all
EXAMPLES = 5
MARKS = ("", "nan", "null", "n/a", "#n/a")  # what programs write for nothing; no level, however frequent
_ALWAYS = ("type", "null", "negative", "far")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """
    Rows, and what was found.

    Attributes:
        kept: That may be learned from, in their order.
        quarantined: That may not, with `_broken`.
    """

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    report: ContractReport


def check_contract(contract: Contract, frame: pl.DataFrame) -> Checked:
    """
    Divide rows into those that keep a contract and those that are broken.

    Broken is what data do not become by themselves: text for a number, nothing (or "N/A") where there always was
    something, less than nothing, ten times farther out than ever; and, as long as it is rare, what was never seen.
    What is new and frequent, or belongs to a column that keeps getting new levels, is drift: it is reported, and kept.

    Args:
        contract: What healthy rows look like.
        frame: As `prepare` gives it, in time order; perhaps with `_untyped`, which is taken away.
    """
    found = _found(contract, frame)
    judged = _judged(contract, found, frame.height)
    broken = judged.filter(pl.col("broken"))
    said = broken.group_by("row").agg(
        pl.format("{} {}: {}", "column", "rule", pl.col("value").fill_null("null")).sort().str.join("; ").alias(BROKEN)
    )
    plain = frame.drop(UNTYPED, strict=False)
    marked = plain.with_row_index("row").join(said, on="row", how="left", maintain_order="left").drop("row")
    aside = marked.filter(pl.col(BROKEN).is_not_null())
    report = ContractReport(rows=frame.height, quarantined=aside.height, findings=_findings(judged, frame.height))
    return Checked(kept=marked.filter(pl.col(BROKEN).is_null()).drop(BROKEN), quarantined=aside, report=report)


def _found(contract: Contract, frame: pl.DataFrame) -> Failures:
    """Values that are no numbers, and those that pandera finds; a value is found once."""
    wrong = failures(contract, frame)
    if UNTYPED not in frame.columns:
        return wrong
    parts = pl.col(UNTYPED).str.split(BETWEEN)
    each = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), parts).drop_nulls().explode(UNTYPED)
    pair = pl.col(UNTYPED).str.splitn(WITHIN, 2).struct
    column, value = pair.field("field_0").alias("column"), pair.field("field_1").alias("value")
    untyped = each.select(column, pl.lit("type").alias("rule"), "row", value)
    return pl.concat([untyped, wrong]).unique(subset=["column", "row"], keep="first", maintain_order=True)


def _judged(contract: Contract, found: Failures, rows: int) -> pl.DataFrame:
    """Say of each value whether it is broken."""
    lately = rows - max(rows // 10, min(rows, 100))
    newest = rows - lately
    group = ["column", "rule", pl.when(pl.col("rule") == "level").then("value")]
    frequent = (pl.len().over(group) >= max(FEW, FREQUENT * rows)) | (
        (pl.col("row") >= lately).sum().over(group) >= max(FEW, FREQUENT * newest)
    )
    growing = pl.col("column").is_in([rule.column for rule in contract.levels if rule.open])
    level = pl.col("rule") == "level"
    mark = level & pl.col("value").str.strip_chars().str.to_lowercase().is_in(MARKS)
    let_through = (frequent | (level & growing)) & ~mark
    return found.with_columns((pl.col("rule").is_in(_ALWAYS) | ~let_through).alias("broken"))


def _findings(judged: pl.DataFrame, rows: int) -> tuple[Finding, ...]:
    counted = (
        judged.group_by("column", "rule", "broken")
        .agg(pl.len().alias("rows"), pl.col("value").drop_nulls().unique(maintain_order=True).head(EXAMPLES))
        .sort("rows", "column", "rule", descending=[True, False, False])
    )
    return tuple(
        Finding(
            column=one["column"],
            rule=one["rule"],
            rows=one["rows"],
            share=one["rows"] / rows,
            examples=tuple(one["value"]),
            quarantined=one["broken"],
        )
        for one in counted.iter_rows(named=True)
    )
