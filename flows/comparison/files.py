"""Prediction files: one table per model, read, checked and put side by side."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.data.files import read_table
from flows.errors import DataError
from registry.records.version import Task

Floats = NDArray[np.float64]
SUFFIXES = (".csv", ".parquet", ".pq")
WHAT = "The files were not compared."

# Names that columns often have, the likelier first.
LIKELY = {
    "label": ("label", "labels", "y", "y_true", "target", "truth", "actual", "outcome"),
    "score": (
        *("score", "scores", "p", "prob", "proba", "probability", "y_score", "y_prob"),
        *("prediction", "predictions", "pred", "y_pred", "yhat"),
    ),
    "key": ("key", "id", "row_id", "key_id", "customer_id", "user_id", "request_id", "prediction_id"),
    "time": ("time", "timestamp", "ts", "datetime", "date"),
}
_BINARY, _REGRESSION = ("auc", "accuracy", "brier", "log_loss", "calibration"), ("mae", "rmse", "r2")
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    Names of columns as given; None is looked for.

    Attributes:
        segments: Further columns of levels.
        kpis: Further columns of numbers, with the option that asks for each.
        covariate: Known before the experiment.
        scored: Whether labels and scores are needed; not if only KPIs are compared.
    """

    label: str | None = None
    score: str | None = None
    key: str | None = None
    time: str | None = None
    segments: tuple[str, ...] = ()
    kpis: Mapping[str, str] = field(default_factory=dict)
    covariate: str | None = None
    scored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """
    One file.

    Attributes:
        path, digest: Of the file.
        columns: Name of the column that is the label, score, key and time, as far as there are.
        labels, scores, times, covariate, kpis: Floats; None where absent.
        keys, segments: Texts.
    """

    path: Path
    digest: str
    rows: int
    columns: Mapping[str, str]
    labels: Floats | None = None
    scores: Floats | None = None
    keys: tuple[str, ...] | None = None
    times: Floats | None = None
    covariate: Floats | None = None
    kpis: Mapping[str, Floats] = field(default_factory=dict)
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_file(name: str | None) -> bool:
    """Whether a word means a file rather than a registered version."""
    return name is not None and (name.lower().endswith(SUFFIXES) or Path(name).is_file())


def refuse(mistakes: Iterable[str], mend: str = "Correct the files, or name their columns; `--help` explains.") -> None:
    """
    Say all mistakes at once.

    Raises:
        DataError: If there are any.
    """
    found = list(dict.fromkeys(mistakes))
    if found:
        raise DataError(WHAT, "; ".join(found) + ".", mend)


def read_pair(champion: str, challenger: str, wanted: Wanted, mistakes: list[str]) -> tuple[Predictions, Predictions]:
    """
    Read both files.

    Args:
        champion, challenger: Paths.
        wanted: Names of columns.
        mistakes: What is wrong is added to it; then arrays may be empty.

    Raises:
        DataError: If a file cannot be read at all.
    """
    tables = [read_table(path) for path in (champion, challenger)]
    lent = None if wanted.label else _only_one(tables)
    first, second = (
        _read(Path(path), table, wanted, mistakes, labelled=index != lent)
        for index, (path, table) in enumerate(zip((champion, challenger), tables, strict=True))
    )
    return first, second


def task_of(files: Iterable[Predictions], task: Task | None, metric: str | None) -> Task:
    """As said, as the metric asks for, or as the labels look: mostly 0 and 1 is binary."""
    if task is not None:
        return task
    if metric in _BINARY or metric in _REGRESSION:
        return "binary" if metric in _BINARY else "regression"
    labels = [one.labels for one in files if one.labels is not None and one.labels.size]
    if not labels:
        return "binary"
    values = np.concatenate(labels)
    return "binary" if np.mean((values == 0) | (values == 1)) >= _MOSTLY else "regression"


def binary_mistakes(one: Predictions) -> list[str]:
    """Labels that are neither 0 nor 1."""
    if one.labels is None:
        return []
    wrong = int(np.count_nonzero((one.labels != 0) & (one.labels != 1) & np.isfinite(one.labels)))
    if not wrong:
        return []
    name = one.columns["label"]
    return [f"column {name} of {one.path.name}: {_of(wrong, one.rows)} neither 0 nor 1 (recode, or --task regression)"]


def probabilities(one: Predictions) -> bool:
    """Whether all scores lie between 0 and 1."""
    return one.scores is None or bool(np.all((one.scores >= 0) & (one.scores <= 1)))


def _only_one(tables: list[pl.DataFrame]) -> int | None:
    """The file that has no label, if the other one does."""
    has = [_likely(table, "label") is not None for table in tables]
    return has.index(False) if has.count(False) == 1 else None


def _read(path: Path, table: pl.DataFrame, wanted: Wanted, mistakes: list[str], *, labelled: bool) -> Predictions:
    reader = _Reader(path.name, table, mistakes)
    names = {
        "label": reader.find("label", wanted.label, needed=wanted.scored and labelled) if labelled else None,
        "score": reader.find("score", wanted.score, needed=wanted.scored),
        "key": reader.find("key", wanted.key),
        "time": reader.find("time", wanted.time),
    }
    return Predictions(
        path=path,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=table.height,
        columns={role: name for role, name in names.items() if name},
        labels=reader.floats(names["label"]),
        scores=reader.floats(names["score"]),
        keys=reader.texts(names["key"], whole=True),
        times=reader.seconds(names["time"]),
        covariate=reader.floats(reader.named("--covariate", wanted.covariate)),
        kpis={
            name: values
            for name, option in wanted.kpis.items()
            if (values := reader.floats(reader.named(option, name))) is not None
        },
        segments={
            name: levels
            for name in wanted.segments
            if (levels := reader.texts(reader.named("--segment", name))) is not None
        },
    )


class _Reader:
    """Takes columns out of one table, and collects what is wrong with them."""

    def __init__(self, file: str, table: pl.DataFrame, mistakes: list[str]) -> None:
        self._file, self._table, self._mistakes = file, table, mistakes

    def find(self, role: str, given: str | None, *, needed: bool = False) -> str | None:
        """The column of a role: as named, or by its usual names."""
        if given is not None:
            return self.named(f"--{role}", given)
        found = _likely(self._table, role)
        if found is None and needed:
            self._wrong(f"{self._file} has no column that looks like a {role} ({self._has()}): name it by --{role}")
        return found

    def named(self, option: str, given: str | None) -> str | None:
        """A column that must be there."""
        if given is None or given in self._table.columns:
            return given
        self._wrong(f"{self._file} has no column {given!r} for {option} ({self._has()})")
        return None

    def floats(self, name: str | None) -> Floats | None:
        """Numbers without holes."""
        if name is None:
            return None
        column = self._table[name]
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            self._wrong(f"column {name} of {self._file} holds {_kind(column)}, not numbers (recode it)")
            return np.zeros(column.len())
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            self._wrong(
                f"column {name} of {self._file}: {_of(bad, values.size)} missing, NaN or infinite (drop or fill)"
            )
        return np.ascontiguousarray(values)

    def texts(self, name: str | None, *, whole: bool = False) -> tuple[str, ...] | None:
        """Levels or keys; a key must not be missing."""
        if name is None:
            return None
        column = self._table[name]
        if whole and column.null_count():
            self._wrong(f"column {name} of {self._file}: {_of(column.null_count(), column.len())} without a key (drop)")
        return tuple("" if value is None else str(value) for value in column.to_list())

    def seconds(self, name: str | None) -> Floats | None:
        """Epoch seconds; times without a zone are UTC."""
        if name is None:
            return None
        column = self._table[name]
        if column.dtype == pl.String:
            column = _moments(column)
        if column.dtype.is_temporal() and column.dtype != pl.Time:
            column = column.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
        if not column.dtype.is_numeric():
            self._wrong(f"column {name} of {self._file} holds no times (write ISO 8601, or epoch seconds)")
            return None
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            self._wrong(f"column {name} of {self._file}: {_of(bad, values.size)} no time (write ISO 8601)")
        return np.ascontiguousarray(values)

    def _has(self) -> str:
        shown = ", ".join(self._table.columns[:12])
        return f"it has {shown}{', ...' if self._table.width > 12 else ''}"

    def _wrong(self, mistake: str) -> None:
        self._mistakes.append(mistake)


def _moments(column: pl.Series) -> pl.Series:
    try:
        return column.str.to_datetime(time_zone="UTC", strict=False)
    except pl.exceptions.ComputeError:  # no format fits any value
        return pl.Series(column.name, [None] * column.len(), dtype=pl.Datetime("us", "UTC"))


def _likely(table: pl.DataFrame, role: str) -> str | None:
    by_name = {name.lower(): name for name in reversed(table.columns)}
    return next((by_name[name] for name in LIKELY[role] if name in by_name), None)


def _kind(column: pl.Series) -> str:
    if column.dtype == pl.String:
        few = ", ".join(map(repr, column.drop_nulls().unique().sort().head(3).to_list()))
        return f"text ({few})"
    return str(column.dtype)


def _of(bad: int, rows: int) -> str:
    return f"{bad:,} of {rows:,} values are" if bad != 1 else f"1 of {rows:,} values is"
