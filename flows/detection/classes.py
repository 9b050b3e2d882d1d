"""Several classes as looks see them: which ones were said, and whether the one that was said is right."""

from collections.abc import Mapping

import polars as pl

from flows.config.model import ModelConfig

NUMBERS = {"score": "_prediction", "label": "_label"}
"""Columns of class numbers, by what is said of them in a report."""


def as_hits(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    """
    Of several classes: the binary problem whether the one that was said is right; other tasks' rows as they are.

    Args:
        frame: With `_prediction` and `_label`, numbers of classes, and `_score`, the probability of the one said.

    Returns:
        `_label` is 1 where the class said is the true one, else 0, and null where that is not known yet;
        `_prediction` is 1: it was said to be right. What is a hit remains one if this is done again.
    """
    if config.task != "multiclass" or not {"_prediction", "_label"} <= {*frame.columns}:
        return frame
    hit = (pl.col("_prediction") == pl.col("_label")).cast(pl.Float64)
    return frame.with_columns(_label=hit, _prediction=pl.lit(1.0))


def class_columns(config: ModelConfig, columns: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    """Numbers of classes as their names; numbers that are no class of the configuration as text."""
    names = dict(enumerate(config.data.classes))
    return {
        name: column.cast(pl.Int64).replace_strict(names, default=column.cast(pl.Int64).cast(pl.String))
        for name, column in columns.items()
    }
