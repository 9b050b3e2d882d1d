"""What the rows looked like when a model was made; drift is measured against it."""

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.detection.standard import standard_of
from flows.detection.univariate.profile import numeric_profile, profile
from flows.training.layout import Span
from flows.training.rows import Rows


def reference(config: ModelConfig, rows: Rows, start: int, holdout: Span, scores: NDArray[np.float64]) -> bytes:
    """
    Profile the rows from *start*, or the holdout if that is older, to its end, as JSON.

    The scores are those of the holdout alone: a model's scores of rows that it has learned
    from are too confident to compare live ones with.
    """
    part = rows.cut(Span(min(start, holdout.start), holdout.stop))
    scored = numeric_profile(pl.Series(scores, dtype=pl.Float64))
    return msgspec.structs.replace(profile(part, config), score=scored).to_json()


def standard(
    config: ModelConfig,
    rows: Rows,
    start: int,
    holdout: Span,
    scores: NDArray[np.float64],
    importance: dict[str, float],
) -> bytes:
    """What later looks hold the version against, from the same rows, as JSON."""
    part = rows.cut(Span(min(start, holdout.start), holdout.stop))
    there = slice(holdout.start, holdout.stop)
    held = {"times": rows.times[there], "scores": scores, "labels": rows.labels[there]}
    return standard_of(config, part, held, importance, config.training.seed).to_json()
