"""Which rows can be judged, and what is wrong with the others."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.detection.performance.spread import Floats
from flows.detection.univariate.samples import numbers
from registry.records.version import Task

_LARGEST = 1e50
_ABSURD = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """
    Rows with a usable score, in time order where there are times.

    Attributes:
        labels: Shape (n,); NaN where there is no usable label.
        scores: Shape (n,); probabilities within 0 and 1 (binary), or values.
        places: Shape (n,), the rows' places in the frame.
        ordered: Whether all rows have a time.
        given: Rows that were looked at.
        beyond: Probabilities below 0 or above 1, which count as these.
        foreign: Labels that are there, but neither 0 nor 1, or no usable number.
    """

    labels: Floats
    scores: Floats
    places: NDArray[np.intp]
    ordered: bool
    given: int
    beyond: int = 0
    foreign: int = 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a label; shape (n,)."""
        return np.asarray(~np.isnan(self.labels))

    @property
    def absurd(self) -> float | None:
        """Share of rows whose score is unusable."""
        return (self.given - self.scores.size + self.beyond) / self.given if self.given else None


def scored(task: Task, frame: pl.DataFrame, version: str | None = None) -> Scored:
    """
    Rows that can be judged.

    Args:
        task: Binary: labels are 0 and 1; of several classes 1 where the one said is right. Regression: a
            score beyond a million times the largest label is absurd, and left out.
        frame: With `_score`; `_label`, `_version` and `_time` where there are any.
        version: Only rows that it served; all of them where the frame has no `_version`.
    """
    places = _served(frame, version)
    times = _column(frame, "_time")[places]
    ordered = bool(places.size) and bool(np.isfinite(times).all())
    if ordered and (np.diff(times) < 0).any():
        places = places[np.argsort(times, kind="stable")]
    labels, scores = _column(frame, "_label")[places], _column(frame, "_score")[places]
    usable = _labels_of(task, labels)
    foreign = int((~np.isnan(labels) & np.isnan(usable)).sum())
    kept = np.isfinite(scores) & (np.abs(scores) <= (_limit(usable) if task == "regression" else np.inf))
    beyond = int(((scores < 0) | (scores > 1))[kept].sum()) if task != "regression" else 0
    clean = scores[kept] if task == "regression" else np.clip(scores[kept], 0.0, 1.0)
    return Scored(
        labels=usable[kept],
        scores=clean,
        places=places[kept],
        ordered=ordered,
        given=places.size,
        beyond=beyond,
        foreign=foreign,
    )


def row_findings(rows: Scored) -> list[str]:
    """What is wrong with rows, one sentence each."""
    lost = rows.given - rows.scores.size
    found = [f"{lost:,} of {rows.given:,} rows have no usable score and are left out."] if lost else []
    if rows.beyond:
        found.append(f"{rows.beyond:,} scores are no probabilities; they count as 0 or 1.")
    if rows.foreign:
        found.append(f"{rows.foreign:,} labels are not what the task knows; they count as missing.")
    if rows.scores.size and not rows.ordered:
        found.append("Not all rows have a time: they count as independent, so intervals may be too narrow.")
    return found


def _served(frame: pl.DataFrame, version: str | None) -> NDArray[np.intp]:
    if version is None or "_version" not in frame.columns:
        return np.arange(frame.height)
    return np.flatnonzero((frame["_version"].cast(pl.String) == version).fill_null(value=False).to_numpy())


def _column(frame: pl.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    column = frame[name]
    plain = column.to_physical() if column.dtype.is_temporal() else column
    return numbers(plain).fill_null(np.nan).to_numpy().astype(np.float64)


def _labels_of(task: Task, labels: Floats) -> Floats:
    fine = np.abs(labels) <= _LARGEST if task == "regression" else np.isin(labels, (0.0, 1.0))
    return np.where(fine, labels, np.nan)


def _limit(labels: Floats) -> float:
    """Beyond it a prediction is absurd."""
    known = np.abs(labels[~np.isnan(labels)])
    largest = float(known.max()) if known.size else 0.0
    return min(_ABSURD * largest, _LARGEST) if largest > 0 else _LARGEST
