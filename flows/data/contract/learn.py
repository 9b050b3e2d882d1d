"""Learn a contract from healthy rows."""

from collections.abc import Sequence

import polars as pl

from flows.config.model import ModelConfig
from flows.data.contract.records import Contract, LevelRule, NumberRule

NEAR_ZERO = 0.01  # of the largest value: a smallest one below it has come up to a bound, and not gone beyond
MOST_LEVELS = 1000  # more are names or numbers, not levels
NEW_LATELY = 0.1  # of the levels, first seen in the second half of the rows: more of them will come


def infer_contract(config: ModelConfig, frame: pl.DataFrame, *, before: Contract | None = None) -> Contract:
    """
    Learn what healthy rows look like.

    Args:
        config: Names the features.
        frame: In one shape and in time order, at least one row.
        before: A contract that stays true: what was seen earlier is not forgotten.

    Returns:
        Of every feature, and of the label of a regression.
    """
    learned = Contract(
        rows=frame.height,
        numbers=tuple(_number(frame[name]) for name in numbers_of(config)),
        levels=tuple(_levels(frame[name]) for name in config.features.categorical),
    )
    return learned if before is None else _joined(before, learned)


def numbers_of(config: ModelConfig) -> list[str]:
    """Columns of a prepared frame that hold numbers to be checked."""
    return [*config.features.numeric, *(["_label"] if config.task == "regression" else [])]


def _number(column: pl.Series) -> NumberRule:
    values = column.drop_nulls()
    if values.is_empty():
        return NumberRule(column=column.name, nullable=True, low=None, high=None)
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    nullable = column.null_count() > 0
    return NumberRule(column=column.name, nullable=nullable, low=low, high=high, floor=_has_floor(values, low, high))


def _has_floor(values: pl.Series, low: float, high: float) -> bool:
    """Counts and codes end at 0, and so does what comes close to it; a temperature in summer does not."""
    if low < 0 or high == low:
        return False
    return low <= NEAR_ZERO * high or bool((values % 1 == 0).all())


def _levels(column: pl.Series) -> LevelRule:
    known = column.drop_nulls().unique().sort().to_list()
    nullable = column.null_count() > 0
    if len(known) > MOST_LEVELS:
        return LevelRule(column=column.name, nullable=nullable, levels=(), open=True)
    return LevelRule(column=column.name, nullable=nullable, levels=tuple(known), open=_is_open(column, len(known)))


def _is_open(column: pl.Series, known: int) -> bool:
    lately = known - column.head(column.len() // 2).drop_nulls().n_unique()
    return lately > NEW_LATELY * known


def _joined(before: Contract, learned: Contract) -> Contract:
    numbers = {rule.column: rule for rule in before.numbers}
    levels = {rule.column: rule for rule in before.levels}
    return Contract(
        rows=max(before.rows, learned.rows),
        numbers=tuple(_wider(numbers.get(rule.column), rule) for rule in learned.numbers),
        levels=tuple(_longer(levels.get(rule.column), rule) for rule in learned.levels),
    )


def _wider(before: NumberRule | None, now: NumberRule) -> NumberRule:
    if before is None:
        return now
    low, high = _ends([one for one in (before.low, before.high, now.low, now.high) if one is not None])
    floor = (before.floor or now.floor) and low is not None and low >= 0
    return NumberRule(column=now.column, nullable=before.nullable or now.nullable, low=low, high=high, floor=floor)


def _ends(values: Sequence[float]) -> tuple[float | None, float | None]:
    return (min(values), max(values)) if values else (None, None)


def _longer(before: LevelRule | None, now: LevelRule) -> LevelRule:
    if before is None:
        return now
    known = tuple(sorted({*before.levels, *now.levels}))
    unlisted = not (before.levels and now.levels) and (before.open or now.open)
    return LevelRule(
        column=now.column,
        nullable=before.nullable or now.nullable,
        levels=() if unlisted or len(known) > MOST_LEVELS else known,
        open=before.open or now.open or len(known) > MOST_LEVELS,
    )
