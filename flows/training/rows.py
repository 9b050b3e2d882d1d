"""Rows that can be trained on, or a refusal that names everything wrong with them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.data import Features
from flows.config.model import ModelConfig
from flows.errors import DataError
from flows.training.layout import Span, Window, before
from flows.training.windows import fading

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Features (one column per feature, null where missing) and labels of the same rows.

    Attributes:
        weights: How much each row counts in a fit; None: all alike. Nothing is judged by them.
    """

    features: pl.DataFrame
    labels: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """
    Labelled rows in time order.

    Attributes:
        frame: As prepared; numbers finite or null.
        times: Epoch seconds, ascending.
        labels: 0 or 1 (binary), or the value (regression).
        recency: Seconds after which a row counts half in a fit; None: all count alike.
        gap: Seconds before what is judged from which nothing is learned.
        keys: Shape (n,); whose row it is, as a number, if a key that is judged on is never learned from.
    """

    frame: pl.DataFrame
    names: tuple[str, ...]
    times: NDArray[np.float64]
    labels: NDArray[np.float64]
    recency: float | None = None
    gap: float = 0.0
    keys: NDArray[np.uint32] | None = None

    def past(self, future: Span, window: Window) -> Span:
        """Find what may be learned before *future* is judged."""
        return before(self.times, future.start, window, gap=self.gap)

    def sample(self, span: Span, *, judged: Span | None = None) -> Sample:
        """
        Cut out what a model sees of *span*; ages count from its newest row.

        Args:
            span: Rows to learn from, or to judge on.
            judged: Rows that the fit will be judged on; where keys matter, rows of theirs are left out.
        """
        weights = fading(self.times[span.start : span.stop], self.recency)
        whole = Sample(self.cut(span).select(self.names), self.labels[span.start : span.stop], weights)
        if self.keys is None or judged is None:
            return whole
        apart = self._apart(span, judged)
        weights = None if weights is None else weights[apart]
        return Sample(whole.features.filter(pl.Series(apart)), whole.labels[apart], weights)

    def cut(self, span: Span) -> pl.DataFrame:
        """Cut out all columns of *span*."""
        return self.frame.slice(span.start, span.rows)

    def classes(self, span: Span, *, judged: Span | None = None) -> int:
        """Count different labels of *span*, without rows of keys in *judged* where keys matter."""
        return len(np.unique(self.labels[span.start : span.stop][self._apart(span, judged)]))

    def left(self, span: Span, judged: Span | None) -> int:
        """Count rows of *span*, without those of keys in *judged* where keys matter."""
        return int(self._apart(span, judged).sum())

    def _apart(self, span: Span, judged: Span | None) -> NDArray[np.bool_]:
        """Whether a row of *span* may be learned from before *judged* is judged."""
        if self.keys is None or judged is None:
            return np.ones(span.rows, dtype=np.bool_)
        return ~np.isin(self.keys[span.start : span.stop], self.keys[judged.start : judged.stop])


def usable(config: ModelConfig, frame: pl.DataFrame, as_of: datetime) -> Rows:
    """
    Keep the rows known at *as_of*, in time order.

    Args:
        config: Names the features and the task.
        frame: As `flows.data` prepares it: features, `_time`, `_label`.
        as_of: Later rows are left out.

    Raises:
        DataError: If a column is missing, a number is too large, or a label is missing, infinite or of no class.
    """
    _refuse_missing(config, frame)
    known = frame.filter(pl.col("_time") <= as_of.timestamp()).sort("_time", maintain_order=True)
    clean = known.with_columns(
        *[_finite(name) for name in config.features.numbers],
        *[pl.col(name).cast(pl.String) for name in config.features.categorical],
    )
    labels = clean["_label"].cast(pl.Float64).to_numpy()
    _refuse_labels(config, labels)
    _refuse_huge(config, clean, labels)
    recency = config.training.recency
    return Rows(
        frame=clean,
        names=config.features.names,
        times=clean["_time"].to_numpy(),
        labels=labels,
        recency=recency.total_seconds() if recency else None,
        gap=config.training.gap.total_seconds(),
        keys=_codes(clean["_key"]) if config.training.grouped else None,
    )


def refuse_empty(features: Features, rows: Rows, span: Span, judged: Span | None = None) -> None:
    """
    Refuse rows from which nothing could be learned.

    Args:
        features: That are learned from.
        rows: All.
        span: Rows to learn from.
        judged: Rows that the fit will be judged on.

    Raises:
        DataError: If no row is left, a feature has no value in *span*, or all labels are the same.
    """
    _refuse_none_left(rows, span, judged)
    part = rows.cut(span)
    mistakes = [
        f"feature {name!r} has no value at all" for name in features.names if part[name].null_count() == span.rows
    ]
    if rows.classes(span) < 2:
        mistakes.append(f"all {span.rows} labels are {rows.labels[span.start]:g}")
    if mistakes:
        raise DataError(
            "Nothing was trained.",
            f"In the newest {span.rows} rows, {'; '.join(mistakes)}.",
            "Mend the source, leave the feature out, or widen training.window.",
        )


def _refuse_none_left(rows: Rows, span: Span, judged: Span | None) -> None:
    """Say which key of the configuration has left nothing to learn from."""
    if span.rows == 0:
        raise DataError(
            "Nothing was trained.",
            f"No row is {rows.gap:g} seconds (training.gap) older than the holdout, which begins with row "
            f"{judged.start if judged else span.stop} of {len(rows.times)}.",
            "Shorten training.gap, or train on a longer history.",
        )
    if rows.classes(span, judged=judged) < rows.classes(span) and rows.keys is not None:
        raise DataError(
            "Nothing was trained.",
            f"Of the {span.rows} rows before the holdout, {rows.left(span, judged)} are of keys that are not in it "
            "(training.grouped), and not every label is among them.",
            "Take a key that more callers have in data.key, or set training.grouped to false.",
        )


def fingerprint(frame: pl.DataFrame, names: tuple[str, ...]) -> str:
    """Hash the values of *names*, `_time` and `_label`; the same rows give the same one on any machine."""
    digest = hashlib.sha256()
    for name in (*names, "_time", "_label"):
        digest.update(name.encode() + b"\0")
        digest.update(_bytes(frame[name]))
    return digest.hexdigest()


def _bytes(column: pl.Series) -> bytes:
    if column.dtype == pl.String:
        return str(column.fill_null("\1").str.join("\0").item() if column.len() else "").encode()
    return column.cast(pl.Float64).to_numpy().astype("<f8").tobytes()


def _codes(keys: pl.Series) -> NDArray[np.uint32]:
    """Number the keys; rows without one are nobody's, each for itself."""
    own = pl.Series([f"\0{n}" for n in range(len(keys))], dtype=pl.String)
    named = keys.cast(pl.String).fill_null(own) if keys.null_count() else keys.cast(pl.String)
    return named.rank("dense").cast(pl.UInt32).to_numpy()


def _finite(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64)
    return pl.when(number.is_finite()).then(number).alias(name)


def _refuse_huge(config: ModelConfig, frame: pl.DataFrame, labels: NDArray[np.float64]) -> None:
    columns = {f"feature {name!r}": frame[name].to_numpy() for name in config.features.numeric}
    columns[f"target {config.target!r}"] = labels
    sizes = {what: np.abs(values[np.isfinite(values)]).max(initial=0.0) for what, values in columns.items()}
    mistakes = [f"{what} holds {size:g}" for what, size in sizes.items() if size > LARGEST]
    if mistakes:
        raise DataError(
            "Nothing was trained.",
            f"{'; '.join(mistakes).capitalize()}: trees count in single precision, which ends at {LARGEST:g}.",
            "Leave such values empty in the source, or give them in a larger unit.",
        )


def _refuse_missing(config: ModelConfig, frame: pl.DataFrame) -> None:
    mistakes = [f"there is no feature {name!r}" for name in config.features.names if name not in frame.columns]
    if "_label" not in frame.columns:
        mistakes.append(f"there is no target {config.target!r} (column _label)")
    if "_time" not in frame.columns:
        mistakes.append("there is no time (column _time)")
    if config.training.grouped and "_key" not in frame.columns:
        mistakes.append("there is no key (column _key), by which training.grouped keeps rows apart")
    if mistakes:
        raise DataError(
            "Nothing was trained.",
            f"{'; '.join(mistakes).capitalize()}.",
            "Prepare the table with the model's configuration, or correct the names there.",
        )


def _refuse_labels(config: ModelConfig, labels: NDArray[np.float64]) -> None:
    missing = int((~np.isfinite(labels)).sum())
    if missing:
        raise DataError(
            "Nothing was trained.",
            f"{missing} of {len(labels)} labels of {config.target!r} are missing or not finite.",
            "Train on labelled rows only.",
        )
    foreign = np.setdiff1d(labels, [0.0, 1.0])
    if config.task == "binary" and len(foreign):
        raise DataError(
            "Nothing was trained.",
            f"Labels of {config.target!r} must be 0 or 1, but {foreign[0]:g} is among them.",
            "Name the value that counts as 1 in data.positive, or set task to regression.",
        )
