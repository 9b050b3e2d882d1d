"""A contract as a schema of pandera, which finds every row that breaks it."""

from typing import Any

import msgspec
import polars as pl

from flows.data.contract.records import Contract, LevelRule, NumberRule

ROOM = 1.0  # sizes of a column beyond what was seen: farther out is the rule "range"
FAR = 10.0  # the same for the rule "far"
_NULL = "not_nullable"

Failures = pl.DataFrame
"""One line per value that breaks a rule: `column`, `rule`, `row`, `value`; the gravest rule of each value alone."""


def failures(contract: Contract, frame: pl.DataFrame) -> Failures:
    """
    Find every value that breaks the contract.

    Args:
        contract: What healthy rows look like.
        frame: With the columns of the contract, as `prepare` types them.

    Returns:
        Lines sorted by column and row.
    """
    from pandera.errors import SchemaErrors

    schema, rules = _schema(_about(contract, frame))
    try:
        schema.validate(frame.select(*rules), lazy=True)
    except SchemaErrors as errors:
        return _lines(errors.failure_cases, rules)
    return pl.DataFrame(schema={"column": pl.String, "rule": pl.String, "row": pl.UInt32, "value": pl.String})


def limits(rule: NumberRule, size: float) -> tuple[float, float] | None:
    """
    Return how far out values may lie.

    The size of a column is the distance of its ends, or of the farther one from 0: what hardly moved, such as an
    interest rate, may move by its own size. What never moved may be anything: None.

    Args:
        rule: Of the column.
        size: How many sizes beyond the ends.

    Example:
        >>> limits(NumberRule(column="age", nullable=False, low=18.0, high=98.0), 1.0)
        (-80.0, 196.0)
    """
    if rule.low is None or rule.high is None or rule.low == rule.high:
        return None
    room = size * max(rule.high - rule.low, abs(rule.low), abs(rule.high))
    return rule.low - room, rule.high + room


def _about(contract: Contract, frame: pl.DataFrame) -> Contract:
    """Leave out columns that are no features any more, or of another kind."""
    kinds = frame.schema
    return msgspec.structs.replace(
        contract,
        numbers=tuple(rule for rule in contract.numbers if kinds.get(rule.column) == pl.Float64),
        levels=tuple(rule for rule in contract.levels if kinds.get(rule.column) == pl.String),
    )


def _schema(contract: Contract) -> tuple[Any, dict[str, list[str]]]:
    """Make the schema, and name the rules of each column in the order of its checks."""
    import pandera.polars as pa

    columns: dict[str, Any] = {}
    rules: dict[str, list[str]] = {}
    for number in contract.numbers:
        checks = _number_checks(number)
        columns[number.column] = pa.Column(pl.Float64, list(checks.values()), nullable=number.nullable)
        rules[number.column] = list(checks)
    for level in contract.levels:
        checks = _level_checks(level)
        columns[level.column] = pa.Column(pl.String, list(checks.values()), nullable=level.nullable)
        rules[level.column] = list(checks)
    return pa.DataFrameSchema(columns), rules


def _number_checks(rule: NumberRule) -> dict[str, Any]:
    import pandera.polars as pa

    checks: dict[str, Any] = {"negative": pa.Check.greater_than_or_equal_to(0.0)} if rule.floor else {}
    for name, size in (("far", FAR), ("range", ROOM)):
        if ends := limits(rule, size):
            checks[name] = pa.Check.in_range(*ends)
    return checks


def _level_checks(rule: LevelRule) -> dict[str, Any]:
    import pandera.polars as pa

    return {"level": pa.Check.isin(list(rule.levels))} if rule.levels else {}


def _lines(cases: pl.DataFrame, rules: dict[str, list[str]]) -> Failures:
    """Name the rules; a value that is far out is out of range, too, and is said once."""
    named = [
        {"column": column, "check_number": number, "rule": rule}
        for column, checks in rules.items()
        for number, rule in enumerate(checks)
    ]
    known = pl.DataFrame(named, schema={"column": pl.String, "check_number": pl.Int32, "rule": pl.String})
    return (
        cases.join(known, on=["column", "check_number"], how="left")
        .with_columns(pl.when(pl.col("check") == _NULL).then(pl.lit("null")).otherwise(pl.col("rule")).alias("rule"))
        .sort("column", "index", "check_number")
        .unique(subset=["column", "index"], keep="first", maintain_order=True)
        .select("column", "rule", pl.col("index").cast(pl.UInt32).alias("row"), pl.col("failure_case").alias("value"))
    )
