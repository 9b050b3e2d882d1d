"""Losses of a regression without labels, by a small model of how large errors are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.data import Features
from flows.detection.performance.estimate import Gap, Options, checked, estimated
from flows.detection.performance.records import Check, Measure
from flows.detection.performance.rows import Scored
from flows.detection.performance.spread import Floats, spread
from flows.detection.univariate.samples import numbers

_TREES = 60
_MOST_LEVELS = 255
_MOST_PREDICTED = 100_000
_PARAMS: Mapping[str, Any] = {"max_depth": 4, "eta": 0.1, "subsample": 0.8, "nthread": 1, "tree_method": "hist"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows that a model of losses is learned from, or checked on: usable rows, and the frame that they are in."""

    rows: Scored
    frame: pl.DataFrame

    def newest(self, most: int) -> "Labelled":
        """The last *most* of the labelled ones."""
        return self.cut(np.flatnonzero(self.rows.known)[-most:])

    def cut(self, where: NDArray[np.intp]) -> "Labelled":
        """These rows alone."""
        rows = self.rows
        part = Scored(
            labels=rows.labels[where],
            scores=rows.scores[where],
            places=rows.places[where],
            ordered=rows.ordered,
            given=where.size,
        )
        return Labelled(part, self.frame)


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model of losses in units of their mean, with the levels of categorical features that it knows."""

    booster: Any
    levels: Mapping[str, Mapping[str, int]]
    names: tuple[str, ...]
    rows: int
    unit: float

    def predict(self, data: Labelled) -> Floats:
        """Expected loss of each row, shape (n,), never below 0."""
        said = self.booster.inplace_predict(_matrix(data, self.names, self.levels))
        return np.asarray(np.maximum(said.astype(np.float64), 0.0) * self.unit)


def estimate_losses(
    learned: Labelled, data: Labelled, checks: NDArray[np.intp], features: Features, options: Options, seed: int
) -> tuple[list[Measure], list[Check]]:
    """
    Estimate MAE and RMSE for all rows: losses where labels are, expected ones elsewhere.

    Args:
        learned: Labelled rows that the models are fitted to.
        data: Rows to estimate for.
        checks: Places in *data* of labelled rows that were not learned from.
        features: Names the columns.
        seed: Of the models, and of the rows that are drawn where there are very many.

    Source:
        Direct loss estimation (DLE), NannyML's documentation. The interval has the errors of the
        single losses, of the rows drawn, and of the models' mean.
    """
    measures, found = [], []
    for name, power in (("mae", 1), ("rmse", 2)):
        model = _fit(learned, features, power, seed)
        mean, error, gap = _estimate(model, data, checks, power, seed, learned, options)
        value, slope = (mean, 1.0) if power == 1 else (math.sqrt(mean), 0.5 / math.sqrt(mean) if mean > 0 else 0.0)
        measures.append(estimated(name, value, error * slope, data.rows, options))
        if gap is not None:
            missing = 1 - float(data.rows.known.mean())
            found.append(checked(name, gap, value, error * slope, missing, options))
    return measures, found


def _estimate(
    model: Model,
    data: Labelled,
    checks: NDArray[np.intp],
    power: int,
    seed: int,
    learned: Labelled,
    options: Options,
) -> tuple[float, float, Gap | None]:
    rows, where = data.rows, data.rows.known
    held = data.cut(checks) if checks.size >= options.least else learned
    expected, real = model.predict(held), _losses(held.rows, power)
    rest = spread(real - expected, ordered=held.rows.ordered)
    one = rest.error * math.sqrt(held.rows.scores.size)  # of one row, widened for neighbours that resemble each other
    missing = np.flatnonzero(~where)
    drawn = missing
    if missing.size > _MOST_PREDICTED:
        drawn = np.sort(np.random.default_rng(seed).choice(missing, _MOST_PREDICTED, replace=False))
    guesses = model.predict(data.cut(drawn)) if drawn.size else np.zeros(0)
    sampled = float(guesses.var()) / drawn.size if drawn.size < missing.size else 0.0
    share = missing.size / where.size
    known_losses = _losses(data.cut(np.flatnonzero(where)).rows, power)
    mean = (float(known_losses.sum()) + missing.size * float(guesses.mean() if drawn.size else 0.0)) / where.size
    variance = one**2 / max(missing.size, 1) + one**2 / model.rows + sampled
    gap = _gap(expected, real, one / math.sqrt(model.rows), power, rows.ordered) if held is not learned else None
    return mean, share * math.sqrt(variance), gap


def _gap(expected: Floats, real: Floats, model_error: float, power: int, ordered: bool) -> Gap:
    before, after = float(expected.mean()), float(real.mean())
    error = math.hypot(spread(real - expected, ordered=ordered).error, model_error)
    if power == 1:
        return Gap(estimated=before, realised=after, error=error, n=real.size)
    roots = math.sqrt(before), math.sqrt(after)
    slope = 1 / sum(roots) if sum(roots) > 0 else 0.0
    return Gap(estimated=roots[0], realised=roots[1], error=error * slope, n=real.size)


def _fit(learned: Labelled, features: Features, power: int, seed: int) -> Model:
    import xgboost

    names = tuple(name for name in features.compared if name in learned.frame.columns)
    places = learned.rows.places
    levels = {name: _levels(learned.frame[name].gather(places)) for name in names if name in features.categorical}
    losses = _losses(learned.rows, power)
    unit = float(losses.mean()) or 1.0
    matrix = xgboost.DMatrix(_matrix(learned, names, levels), label=losses / unit, nthread=1)
    leaf = max(5, losses.size // 100)
    booster = xgboost.train({**_PARAMS, "min_child_weight": leaf, "seed": seed}, matrix, _TREES)
    return Model(booster, levels, names, losses.size, unit)


def _losses(rows: Scored, power: int) -> Floats:
    return np.asarray(np.abs(rows.scores - rows.labels) ** power)


def _matrix(data: Labelled, names: tuple[str, ...], levels: Mapping[str, Mapping[str, int]]) -> NDArray[np.float32]:
    """Features as numbers, levels by their code, and the prediction; what is not known is NaN."""
    places = data.rows.places
    found = np.empty((places.size, len(names) + 1), dtype=np.float32)
    for column, name in enumerate(names):
        values = data.frame[name] if name in data.frame.columns else pl.Series([None] * data.frame.height)
        found[:, column] = _clipped(_coded(values.gather(places), levels.get(name)))
    found[:, -1] = _clipped(data.rows.scores)
    return found


def _coded(values: pl.Series, levels: Mapping[str, int] | None) -> Floats:
    if levels is None:
        return numbers(values).fill_null(np.nan).to_numpy().astype(np.float64)
    codes = values.cast(pl.String, strict=False).replace_strict(dict(levels), default=None, return_dtype=pl.Float64)
    return np.asarray(codes.fill_null(np.nan).to_numpy(), dtype=np.float64)


def _clipped(values: Floats) -> NDArray[np.float32]:
    """Finite in single precision; infinite values count as missing."""
    kept = np.where(np.isfinite(values), np.clip(values, -1e30, 1e30), np.nan)
    return np.asarray(kept, dtype=np.float32)


def _levels(values: pl.Series) -> dict[str, int]:
    """Codes of the most frequent levels."""
    counts = values.cast(pl.String, strict=False).drop_nulls().alias("level").value_counts(name="rows")
    kept = counts.sort(["rows", "level"], descending=[True, False])["level"].head(_MOST_LEVELS)
    return {level: code for code, level in enumerate(kept.to_list())}
