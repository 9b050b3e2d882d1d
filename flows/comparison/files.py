"""Prediction files: one table per model, read, checked and put side by side."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
_WHOLE = 2.0**53
_LARGEST = 1e150  # its square is still a number
_YEAR_1, _YEAR_9999 = -62_135_596_800.0, 253_402_300_799.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    Names of columns as given; None is looked for.

    Attributes:
        positive: The label that counts as 1; then all others count as 0.
        segments: Further columns of levels.
        kpis: Further columns of numbers, with the option that asks for each.
        optional: KPIs that are taken only if both files have them.
        covariate: Known before the experiment.
        scored: Whether labels and scores are needed; not if only KPIs are compared.
    """

    label: str | None = None
    positive: str | None = None
    score: str | None = None
    key: str | None = None
    time: str | None = None
    segments: tuple[str, ...] = ()
    kpis: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    covariate: str | None = None
    scored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """
    One file.

    Attributes:
        path, digest: Of the file.
        name: In messages; the whole path where both files are called alike.
        columns: Name of the column that is the label, score, key and time, as far as there are.
        labels, scores, times, covariate, kpis: Floats; None where absent.
        keys, segments: Texts.
    """

    path: Path
    name: str
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


def refuse(
    mistakes: Iterable[str], mend: str = "Correct the files or the options; `understudy compare --help` explains."
) -> None:
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
        DataError: If a file cannot be read at all, with what is wrong in the other one.
    """
    paths = (Path(champion), Path(challenger))
    names = [path.name if paths[0].name != paths[1].name else str(path) for path in paths]
    tables = [_table(path, mistakes) for path in paths]
    read = [table for table in tables if table is not None]
    lent = None if wanted.label else _only_one(read)
    optional = {name for name in wanted.optional if all(name in table.columns for table in read)}
    wanted = replace(wanted, kpis={k: v for k, v in wanted.kpis.items() if k not in wanted.optional or k in optional})
    found = [
        _read(path, name, table, wanted, mistakes, labelled=index != lent)
        for index, (path, name, table) in enumerate(zip(paths, names, tables, strict=True))
        if table is not None
    ]
    if len(found) < len(paths):
        refuse(mistakes)
    return found[0], found[1]


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
    name, mend = one.columns["label"], "recode, --positive VALUE, or --task regression"
    return [f"column {name} of {one.name}: {_of(wrong, one.rows)} neither 0 nor 1 ({mend})"]


def probabilities(one: Predictions) -> bool:
    """Whether all scores lie between 0 and 1."""
    return one.scores is None or bool(np.all((one.scores >= 0) & (one.scores <= 1)))


def _table(path: Path, mistakes: list[str]) -> pl.DataFrame | None:
    try:
        return read_table(path)
    except DataError as error:
        why = error.why.rstrip(".").replace("; ", ", ")
        mistakes.append(f"{path} was not read: {why} ({error.mend.rstrip('.').replace('; ', ', ')})")
        return None


def _only_one(tables: list[pl.DataFrame]) -> int | None:
    """The file that has no label, if the other one does."""
    has = [_likely(table, "label") is not None for table in tables]
    return has.index(False) if has.count(False) == 1 < len(has) else None


def _read(
    path: Path, name: str, table: pl.DataFrame, wanted: Wanted, mistakes: list[str], *, labelled: bool
) -> Predictions:
    reader = _Reader(name, table, mistakes)
    names = {
        "label": reader.find("label", wanted.label, needed=wanted.scored and labelled) if labelled else None,
        "score": reader.find("score", wanted.score, needed=wanted.scored),
        "key": reader.find("key", wanted.key),
        "time": reader.find("time", wanted.time),
    }
    mistakes += _twice(name, names)
    times = reader.seconds(names["time"], guessed=wanted.time is None)
    if times is None:
        names["time"] = None
    return Predictions(
        path=path,
        name=name,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=table.height,
        columns={role: column for role, column in names.items() if column},
        labels=reader.labels(names["label"], wanted.positive),
        scores=reader.floats(names["score"]),
        keys=reader.texts(names["key"], whole=True),
        times=times,
        covariate=reader.floats(reader.named("--covariate", wanted.covariate)),
        kpis={
            kpi: values
            for kpi, option in wanted.kpis.items()
            if (values := reader.floats(reader.named(option, kpi))) is not None
        },
        segments={
            segment: levels
            for segment in wanted.segments
            if (levels := reader.texts(reader.named("--segment", segment))) is not None
        },
    )


def _twice(file: str, names: Mapping[str, str | None]) -> list[str]:
    """One column in two roles."""
    roles: dict[str, list[str]] = {}
    for role, column in names.items():
        if column is not None:
            roles.setdefault(column, []).append(role)
    return [
        f"column {column} of {file} is taken as {' and as '.join(found)} (name others by --{', --'.join(found)})"
        for column, found in roles.items()
        if len(found) > 1
    ]


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

    def labels(self, name: str | None, positive: str | None) -> Floats | None:
        """Numbers; or 1 where the label is the positive one, and 0 elsewhere."""
        if name is None or positive is None:
            return self.floats(name, hint="say which one counts as 1 by --positive")
        column = _written(self._table[name])
        ones = column == positive
        if not ones.any():
            self._wrong(f"column {name} of {self._file} holds no {positive!r} for --positive (it has {_few(column)})")
        return self._finite(name, ones.cast(pl.Float64))

    def floats(self, name: str | None, hint: str = "recode it") -> Floats | None:
        """Numbers without holes, also if they are written as text."""
        if name is None:
            return None
        column = self._table[name]
        if column.dtype == pl.String:
            column = column.str.strip_chars().cast(pl.Float64, strict=False)
            strange = self._table[name].filter(column.is_null() & self._table[name].is_not_null())
            if strange.len():
                few = f"{_of(strange.len(), column.len())} no number: {_few(strange)}"
                self._wrong(f"column {name} of {self._file}: {few} ({hint})")
                return np.zeros(column.len())
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            self._wrong(f"column {name} of {self._file} holds {column.dtype}, not numbers ({hint})")
            return np.zeros(column.len())
        return self._finite(name, column.cast(pl.Float64))

    def _finite(self, name: str, column: pl.Series) -> Floats:
        values = column.fill_null(float("nan")).to_numpy()
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            self._wrong(
                f"column {name} of {self._file}: {_of(bad, values.size)} missing, NaN or infinite (drop or fill)"
            )
        huge = int(np.count_nonzero(np.isfinite(values) & (np.abs(values) > _LARGEST)))
        if huge:
            self._wrong(f"column {name} of {self._file}: {_of(huge, values.size)} beyond {_LARGEST:g} (rescale)")
        return np.ascontiguousarray(values)

    def texts(self, name: str | None, *, whole: bool = False) -> tuple[str, ...] | None:
        """Levels or keys; a key must not be missing."""
        if name is None:
            return None
        column = self._table[name]
        if whole and column.null_count():
            self._wrong(f"column {name} of {self._file}: {_of(column.null_count(), column.len())} without a key (drop)")
        return tuple(_written(column).fill_null("").to_list())

    def seconds(self, name: str | None, *, guessed: bool = False) -> Floats | None:
        """Epoch seconds; times without a zone are UTC. A column that only its name suggests may hold no times."""
        if name is None:
            return None
        column = _epoch(self._table[name])
        if column is None or column.null_count() == column.len():
            if not guessed:
                self._wrong(f"column {name} of {self._file} holds no times (write ISO 8601, or epoch seconds)")
            return None
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            self._wrong(f"column {name} of {self._file}: {_of(bad, values.size)} no time (write ISO 8601)")
        far = int(np.count_nonzero((values < _YEAR_1) | (values > _YEAR_9999)))
        if far:
            mend = "divide milliseconds by 1,000"
            self._wrong(f"column {name} of {self._file}: {_of(far, values.size)} no epoch seconds ({mend})")
        return np.ascontiguousarray(values)

    def _has(self) -> str:
        shown = ", ".join(self._table.columns[:12])
        return f"it has {shown}{', ...' if self._table.width > 12 else ''}"

    def _wrong(self, mistake: str) -> None:
        self._mistakes.append(mistake)


def _epoch(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        column = _moments(column)
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
    return column if column.dtype.is_numeric() else None


def _moments(column: pl.Series) -> pl.Series:
    try:
        return column.str.to_datetime(time_zone="UTC", strict=False)
    except pl.exceptions.ComputeError:  # no format fits any value
        return pl.Series(column.name, [None] * column.len(), dtype=pl.Datetime("us", "UTC"))


def _written(column: pl.Series) -> pl.Series:
    """As text; whole numbers alike, whether they are stored as integers or not."""
    if column.dtype.is_float() and bool(((column % 1 == 0) & (column.abs() < _WHOLE)).all()):
        column = column.cast(pl.Int64)
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        return pl.Series(column.name, [None if value is None else str(value) for value in column.to_list()], pl.String)
    return column.cast(pl.String)


def _likely(table: pl.DataFrame, role: str) -> str | None:
    by_name = {name.lower(): name for name in reversed(table.columns)}
    return next((by_name[name] for name in LIKELY[role] if name in by_name), None)


def _few(column: pl.Series) -> str:
    found = column.drop_nulls().unique().sort()
    return ", ".join(map(repr, found.head(3).to_list())) + (", ..." if found.len() > 3 else "")


def _of(bad: int, rows: int) -> str:
    return f"{bad:,} of {rows:,} values are" if bad != 1 else f"1 of {rows:,} values is"
