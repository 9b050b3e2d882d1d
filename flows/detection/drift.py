"""Data drift of one window against a reference: features, predictions and labels, each measured and judged."""

from collections.abc import Iterable

import msgspec
import polars as pl

from flows.config.detection.settings import Detection
from flows.config.model import ModelConfig
from flows.detection.classes import NUMBERS, class_columns
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.judging.verdict import judge, judged
from flows.detection.univariate.compare import compare, kept_measured
from flows.detection.univariate.profile import NumericProfile, ReferenceProfile
from flows.detection.univariate.statistics import ColumnStatistics
from flows.detection.univariate.tables import Columns, Table, columns


def drift(reference: ReferenceProfile, frame: Table, config: ModelConfig, *, threads: int = 1) -> DriftReport:
    """
    Compare a window with a stored profile.

    Args:
        reference: Of the rows that the champion learned from.
        frame: Newest rows, features typed as `flows.data` does; or the path of a Parquet file,
            of which one column per thread is held at a time.
        config: Its thresholds; the features are the profile's, since the champion knows those.
        threads: Columns measured at once.
    """
    now, limits = columns(frame), config.detection
    rows = now.rows()
    if rows < limits.min_rows:
        return judge((), limits, rows=(reference.rows, rows))
    report = judge(compare(reference, frame, threads=threads), limits, rows=(reference.rows, rows))
    if config.task == "multiclass":
        return msgspec.structs.replace(report, **_of_classes(reference, now, config))
    return msgspec.structs.replace(
        report,
        score_drift=_kept("score", reference.score, now, limits),
        label_drift=_kept("label", reference.label, now, limits),
    )


def drift_between(reference: Table, current: Table, config: ModelConfig, *, threads: int = 1) -> DriftReport:
    """
    Compare two tables, exactly.

    Args:
        reference: Frame, query, or path of a Parquet file.
        current: Likewise.
        config: Names the features, and its thresholds.
        threads: Columns measured at once.
    """
    was, now, limits = columns(reference), columns(current), config.detection
    rows = was.rows(), now.rows()
    if rows[1] < limits.min_rows:
        return judge((), limits, rows=rows)
    if config.task == "multiclass":
        reference, current = (_named(side, config) for side in (reference, current))
    numeric, categorical = (_in(was, names) for names in (config.features.numeric, config.features.categorical))
    found = compare(reference, current, numeric=numeric, categorical=categorical, threads=threads)
    return msgspec.structs.replace(
        judge(found, limits, rows=rows),
        score_drift=_both("score", reference, current, limits),
        label_drift=_both("label", reference, current, limits),
    )


def _in(table: Columns, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in table.schema]


def _kept(name: str, was: NumericProfile | None, now: Columns, limits: Detection) -> FeatureDrift | None:
    column = _known(now, f"_{name}")
    return None if was is None or column is None else _alone(kept_measured(name, was, column), limits)


def _both(name: str, reference: Table, current: Table, limits: Detection) -> FeatureDrift | None:
    hidden = f"_{name}"
    kind = columns(current).schema.get(hidden)
    if hidden not in columns(reference).schema or hidden not in columns(current).schema:
        return None
    words = kind == pl.String
    (found,) = compare(reference, current, numeric=() if words else [hidden], categorical=[hidden] if words else ())
    return _alone(msgspec.structs.replace(found, name=name), limits)


def _of_classes(reference: ReferenceProfile, now: Columns, config: ModelConfig) -> dict[str, FeatureDrift | None]:
    """Of the classes said and the true ones, by name."""
    numbers = {name: _known(now, column) for name, column in NUMBERS.items()}
    named = class_columns(config, {name: column for name, column in numbers.items() if column is not None})
    return {
        f"{name}_drift": _alone(kept_measured(name, reference.classes[name], column), config.detection)
        for name, column in named.items()
        if name in reference.classes
    }


def _named(table: Table, config: ModelConfig) -> Table:
    """A frame with names of classes for their numbers; what is not in memory is left as it is."""
    if not isinstance(table, pl.DataFrame):
        return table
    there = {f"_{name}": table[column] for name, column in NUMBERS.items() if column in table.columns}
    return table.with_columns(**class_columns(config, there))


def _alone(found: ColumnStatistics, limits: Detection) -> FeatureDrift | None:
    """Judge by itself; rows that have no score or label yet are no drift."""
    if found.n == 0 or found.reference_n == 0:
        return None
    there = msgspec.structs.replace(found, missing=0, reference_missing=0)
    return judged([there], limits, rows=found.n, plain=limits.correction == "none")[0]


def _known(table: Columns, name: str) -> pl.Series | None:
    return table.take(name) if name in table.schema else None
