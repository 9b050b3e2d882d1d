"""From a table of requests to comparisons of all its metrics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.errors import DataError
from flows.stats.moments import Moments
from flows.stats.results import Effect
from flows.stats.unpaired.batch import Comparisons, compare_many
from flows.stats.unpaired.ratios import key_moments

LEAST_KEYS = 20
_ROWS, _OURS = "__rows", "__ours"


class _Arm(NamedTuple):
    """Moments per metric, and how many equally large units would tell as much."""

    moments: list[Moments]
    effective: list[float]

    def __add__(self, other: "_Arm") -> "_Arm":  # type: ignore[override]
        return _Arm(self.moments + other.moments, self.effective + other.effective)


_Arms = tuple[_Arm, _Arm]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameComparison:
    """
    All metrics of a table, challenger minus champion.

    Attributes:
        metrics: Names, in the order of the results.
        unit: What was randomised and is counted: the key column, or "row".
        champion, challenger: Moments per metric over units; a mean over requests is
            linearised by key.
        results: Test, interval, lift and always-valid interval of each metric.
    """

    metrics: tuple[str, ...]
    unit: str
    champion: tuple[Moments, ...]
    challenger: tuple[Moments, ...]
    results: Comparisons

    def effect(self, metric: str) -> Effect:
        """Of one metric."""
        return self.results.effect(self.metrics.index(metric))


def compare_frame(
    frame: pl.DataFrame,
    *,
    variant: str,
    metrics: Sequence[str],
    key: str | None,
    ratios: Mapping[str, tuple[str, str]] | None = None,
    champion: str = "champion",
    challenger: str = "challenger",
    confidence: float = 0.95,
    tuned_to: float = 500,
) -> FrameComparison:
    """
    Compare two arms on many metrics.

    Args:
        frame: One row per request.
        variant: Column that says which arm answered; rows of other arms are left out.
        metrics: Numeric columns whose means are compared; more is better.
        key: Column of what was randomised, e.g. the customer. Rows of one key are alike, so
            tests count keys; below 20 effective ones the always-valid test says nothing.
            None only if every row was dealt by itself.
        ratios: More metrics: name, then numerator and denominator column.
        champion, challenger: Values of the variant column.
        confidence: Of every interval.
        tuned_to: Units per arm at which the always-valid intervals are tightest.

    Raises:
        DataError: If a column is unknown, not numeric, empty, NaN or infinite somewhere, an
            arm has no row, or a key was answered by both arms.
    """
    pairs = dict(ratios or {})
    names = (*metrics, *pairs)
    columns = list(dict.fromkeys((*metrics, *(column for pair in pairs.values() for column in pair))))
    _check_columns(frame, [variant, *([key] if key else [])], columns)
    kept = _of_arms(frame, variant, (champion, challenger))
    _check_holes(kept, [*([key] if key else []), *columns])
    by = _by_key(kept, variant, key, metrics, pairs, (champion, challenger)) if key else None
    ours, theirs = by or _by_row(kept, variant, metrics, pairs, (champion, challenger))
    results = compare_many(
        _transposed(ours.moments), _transposed(theirs.moments), confidence=confidence, tuned_to=tuned_to
    )
    results = _quiet(results, np.minimum(ours.effective, theirs.effective) < LEAST_KEYS)
    return FrameComparison(
        metrics=names,
        unit=key or "row",
        champion=tuple(ours.moments),
        challenger=tuple(theirs.moments),
        results=results,
    )


def _by_row(
    frame: pl.DataFrame,
    variant: str,
    metrics: Sequence[str],
    pairs: Mapping[str, tuple[str, str]],
    arms: tuple[str, str],
) -> _Arms:
    found: list[_Arm] = []
    for arm in arms:
        only = pl.col(variant) == arm
        values = [pl.col(name).cast(pl.Float64) for name in metrics]
        wanted = [*(v.mean().alias(f"mean {i}") for i, v in enumerate(values))]
        wanted += [v.var().alias(f"variance {i}") for i, v in enumerate(values)]
        row = frame.lazy().filter(only).select(pl.len().alias(_ROWS), *wanted).collect().row(0, named=True)
        rows = int(row[_ROWS])
        moments = [
            Moments(rows, row[f"mean {i}"], (row[f"variance {i}"] or 0.0) * (rows - 1)) for i in range(len(metrics))
        ]
        _check_finite(frame, metrics, moments)
        plain = _Arm(moments, [math.inf] * len(moments))
        found.append(plain + _ratios(frame.filter(only) if pairs else frame, pairs))
    return found[0], found[1]


def _by_key(
    frame: pl.DataFrame,
    variant: str,
    key: str,
    metrics: Sequence[str],
    pairs: Mapping[str, tuple[str, str]],
    arms: tuple[str, str],
) -> _Arms:
    columns = dict.fromkeys((*metrics, *(column for pair in pairs.values() for column in pair)))
    sums = [pl.col(name).cast(pl.Float64).sum() for name in columns]
    counts = [pl.len().cast(pl.Float64).alias(_ROWS), (pl.col(variant) == arms[0]).sum().alias(_OURS)]
    keys = frame.lazy().group_by(key).agg(*counts, *sums).collect()
    _check_overlap(keys, key, arms)
    _check_sums(frame, keys, list(columns))
    means = {name: (name, _ROWS) for name in metrics}
    ours, theirs = (keys.filter(only) for only in (pl.col(_OURS) > 0, pl.col(_OURS) == 0))
    return _ratios(ours, means) + _ratios(ours, pairs), _ratios(theirs, means) + _ratios(theirs, pairs)


def _ratios(part: pl.DataFrame, pairs: Mapping[str, tuple[str, str]]) -> _Arm:
    found, effective = [], []
    for name, (above, below) in pairs.items():
        sizes = part[below].to_numpy()
        try:
            found.append(key_moments(sizes, part[above].to_numpy()))
        except ValueError as error:
            raise DataError(f"{name} was not compared.", f"{error}.", f"Mend {above} or {below}.") from error
        effective.append(_effective(sizes.astype(np.float64)))
    return _Arm(found, effective)


def _effective(sizes: NDArray[np.float64]) -> float:
    squares = float(np.dot(sizes, sizes))
    return float(sizes.sum()) ** 2 / squares if squares > 0 else 0.0


def _quiet(results: Comparisons, few: NDArray[np.bool_]) -> Comparisons:
    """Of fewer effective keys than the limit theorem needs nothing is claimed at any time, as in `unit_sequence`."""
    if not few.any():
        return results
    return replace(
        results,
        always_low=np.where(few, -np.inf, results.always_low),
        always_high=np.where(few, np.inf, results.always_high),
        always_p=np.where(few, 1.0, results.always_p),
        always_log_p=np.where(few, 0.0, results.always_log_p),
    )


def _transposed(arm: list[Moments]) -> tuple[list[int], list[float], list[float]]:
    return [m.n for m in arm], [m.mean for m in arm], [m.m2 for m in arm]


def _check_columns(frame: pl.DataFrame, labels: Sequence[str], numeric: Sequence[str]) -> None:
    unknown = [name for name in dict.fromkeys((*labels, *numeric)) if name not in frame.columns]
    if unknown:
        raise DataError(
            f"{_many(unknown, 'column')} not in the table: {', '.join(unknown)}.",
            f"It has {', '.join(frame.columns[:20])}.",
            "Name columns of the table.",
        )
    words = [name for name in numeric if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean)]
    if words:
        raise DataError(
            f"{_many(words, 'metric')} of words: {', '.join(f'{name} ({frame.schema[name]})' for name in words)}.",
            "Means are taken of numbers.",
            "Cast the columns, or leave them out.",
        )


def _check_holes(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    holes = {name: frame[name].null_count() for name in columns}
    _refuse({name: count for name, count in holes.items() if count}, frame.height, "empty")


def _check_finite(frame: pl.DataFrame, metrics: Sequence[str], moments: Sequence[Moments]) -> None:
    """Only where a moment says that something is wrong are the values looked through."""
    doubtful = [
        name for name, m in zip(metrics, moments, strict=True) if not (np.isfinite(m.mean) and np.isfinite(m.m2))
    ]
    _refuse(_not_finite(frame, doubtful), frame.height, "NaN or infinite")
    if doubtful:
        raise DataError(
            f"{doubtful[0]} has values too large to square.", "Its variance is infinite.", "Rescale the column."
        )


def _check_sums(frame: pl.DataFrame, keys: pl.DataFrame, columns: Sequence[str]) -> None:
    doubtful = [name for name in columns if not np.isfinite(float(keys[name].sum()))]
    _refuse(_not_finite(frame, doubtful), frame.height, "NaN or infinite")


def _not_finite(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, int]:
    counted = {name: int((~frame[name].cast(pl.Float64).is_finite()).sum()) for name in columns}
    return {name: count for name, count in counted.items() if count}


def _many(names: Sequence[str], noun: str) -> str:
    return f"1 {noun} is" if len(names) == 1 else f"{len(names)} {noun}s are"


def _refuse(bad: Mapping[str, int], rows: int, what: str) -> None:
    if bad:
        raise DataError(
            f"Values are {what}: {', '.join(f'{name} {count} of {rows}' for name, count in bad.items())}.",
            "A mean over the rest would compare other requests.",
            "Drop those rows in both arms, or fill the values.",
        )


def _of_arms(frame: pl.DataFrame, variant: str, arms: tuple[str, str]) -> pl.DataFrame:
    rows = [int((frame[variant] == arm).sum()) for arm in arms]
    if 0 in rows:
        seen = frame[variant].drop_nulls().unique().sort().head(10).to_list()
        raise DataError(
            f"No row of {frame.height} has {variant} = {arms[rows.index(0)]}.",
            f"It has {', '.join(map(str, seen)) or 'no value'}.",
            "Name the values that stand for champion and challenger.",
        )
    return frame if sum(rows) == frame.height else frame.filter(pl.col(variant).is_in(arms))


def _check_overlap(keys: pl.DataFrame, key: str, arms: tuple[str, str]) -> None:
    both = keys.filter((pl.col(_OURS) > 0) & (pl.col(_OURS) < pl.col(_ROWS)))[key]
    if both.len():
        shown = ", ".join(map(str, both.sort().head(3).to_list()))
        raise DataError(
            f"{both.len()} of {keys.height} values of {key} have rows of both {arms[0]} and {arms[1]}, e.g. {shown}.",
            "The arms are compared as different keys; one key in both makes them depend on each other.",
            "Drop those keys, or compare one phase in which a key kept its arm.",
        )
