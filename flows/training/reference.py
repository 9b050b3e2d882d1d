"""What the rows looked like when a model was made; drift is measured against it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.detection.profile import profile
from flows.training.layout import Span
from flows.training.rows import Rows


def reference(config: ModelConfig, rows: Rows, start: int, holdout: Span, scores: NDArray[np.float64]) -> bytes:
    """
    Profile the rows from *start* to the end of the holdout, as JSON.

    Scores are those of the holdout only: a model's scores of rows it has learned from are
    too confident to compare live ones with.
    """
    part = rows.cut(Span(start, holdout.stop))
    unknown = pl.Series([None] * (part.height - len(scores)), dtype=pl.Float64)
    scored = part.with_columns(pl.concat([unknown, pl.Series(scores)]).alias("_score"))
    return profile(scored, config).to_json()
