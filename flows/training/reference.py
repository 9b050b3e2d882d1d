"""What the rows looked like when a model was made; drift is measured against it."""

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.comparison.classes import several, top_label
from flows.config.model import ModelConfig
from flows.detection.classes import class_columns
from flows.detection.standard import standard_of
from flows.detection.univariate.profile import category_profile, numeric_profile, profile
from flows.training.layout import Span
from flows.training.rows import Rows


def reference(config: ModelConfig, rows: Rows, start: int, holdout: Span, scores: NDArray[np.float64]) -> bytes:
    """
    Profile the rows from *start*, or the holdout if that is older, to its end, as JSON.

    The scores are those of the holdout alone: a model's scores of rows that it has learned
    from are too confident to compare live ones with. Of several classes (scores of shape (n, k)) those
    that are said are kept instead.
    """
    part = rows.cut(Span(min(start, holdout.start), holdout.stop))
    if several(scores):
        numbers = {"score": pl.Series(scores.argmax(axis=1)), "label": part["_label"]}
        kept = {name: category_profile(column) for name, column in class_columns(config, numbers).items()}
        return msgspec.structs.replace(profile(part.drop("_label"), config), classes=kept).to_json()
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
    labels = rows.labels[there]
    if several(scores):  # later looks see whether the class that was said is right
        labels, scores = top_label(labels, scores)
    held = {"times": rows.times[there], "scores": scores, "labels": labels}
    return standard_of(config, part, held, importance, config.training.seed).to_json()
