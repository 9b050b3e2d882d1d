"""Everything that a version is registered with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.durations import text
from flows.config.model import ModelConfig
from flows.detection.standard import REFERENCE_FILE, STANDARD_FILE
from flows.training.bench import Bench, Built, Holdout, seen_until
from flows.training.card import Facts, card
from flows.training.contest import Entry
from flows.training.layout import unseen, window_text
from flows.training.metrics import kpis_per_row, measure
from flows.training.reference import reference, standard
from flows.training.rows import fingerprint
from flows.training.worth import Worth
from registry.records.version import Feature, Serving, Task, TrainingData

CARD_FILE = "card.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A model that could be registered.

    Attributes:
        files: scorer.json, model.ubj and forest.npz (if boosted), reference.json, standard.json, card.md; the
            same data, configuration and seed give the same bytes, unless the time budget ran
            out or the original is served.
        refit: Whether the files hold a model that was fitted again, holdout included; the
            metrics are those of the recipe, fitted without it.
        baseline_metrics: The champion's, on the same rows; none if it has learned from some.
        entries: What was judged on the folds, the chosen one first.
        expected: What the pipeline that is served says of the holdout, before it was folded.
        parity: Largest absolute difference between scorer and fitted pipeline.
        serving: Whether machine code scores, or the fitted pipeline itself.
        serving_reason: Why it is not compiled.
        threshold: A binary score at or above it predicts 1.
        calibration: How probabilities are corrected; empty if they are not.
        parent: The champion's version, if there is one.
        warnings: What people should know of the rows, e.g. a feature that nearly tells the answer.
    """

    files: Mapping[str, bytes]
    task: Task
    algorithm: str
    params: dict[str, Any]
    features: tuple[Feature, ...]
    data: TrainingData
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    holdout: Holdout
    refit: bool
    entries: tuple[Entry, ...]
    expected: NDArray[np.float64]
    parity: float
    serving: Serving
    serving_reason: str
    threshold: float
    calibration: str
    parent: str | None
    warnings: tuple[str, ...]
    seed: int
    duration_s: float


def describe(bench: Bench, entries: tuple[Entry, ...], served: Built, scored: Holdout, duration_s: float) -> Candidate:
    """Measure, and put everything together that a version is registered with."""
    config, best, part = bench.config, entries[0], bench.rows.cut(served.span)
    threshold, data = served.end.ending.threshold, _data(bench, part)
    metrics, baseline = _measured(bench, scored, scored.challenger, threshold), _baseline(bench, scored)
    facts = Facts(
        config=config,
        data=data,
        entries=entries,
        metric=bench.contest.metric,
        metrics=metrics,
        baseline=baseline,
        champion=bench.parent,
        holdout=(_moment(scored.times[0]), _moment(scored.times[-1]), len(scored.times)),
        parity=served.packed.parity.largest,
        serving=served.packed.serving,
        serving_reason=served.packed.why,
        threshold=threshold,
        calibration=served.end.said,
        seed=bench.seed,
        warnings=bench.warnings,
    )
    part_of = (config, bench.rows, served.span.start, bench.holdout, scored.challenger)
    return Candidate(
        files={
            **served.packed.files,
            REFERENCE_FILE: reference(*part_of),
            STANDARD_FILE: standard(*part_of, served.importance),
            CARD_FILE: card(facts).encode(),
        },
        task=config.task,
        algorithm=best.setting.family,
        params=best.setting.params | _memory(config, best),
        features=features_of(config, part),
        data=data,
        metrics=metrics,
        baseline_metrics=baseline,
        holdout=scored,
        refit=config.training.refit,
        entries=entries,
        expected=served.expected,
        parity=served.packed.parity.largest,
        serving=served.packed.serving,
        serving_reason=served.packed.why,
        threshold=threshold,
        calibration=served.end.said,
        parent=bench.parent,
        warnings=bench.warnings,
        seed=bench.seed,
        duration_s=duration_s,
    )


def _memory(config: ModelConfig, best: Entry) -> dict[str, Any]:
    recency = config.training.recency
    faded = {"recency": text(recency)} if recency else {}
    return {"window": window_text(best.window), "refit": config.training.refit} | faded


def _measured(bench: Bench, scored: Holdout, scores: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """All metrics on the holdout, and what of the KPIs lies in the rows that are picked."""
    value, part = bench.config.training.value, bench.rows.cut(bench.holdout)
    found = measure(
        bench.config.task, scored.labels, scores, threshold=threshold, worth=Worth.of(value) if value else None
    )
    if bench.config.task != "binary":
        return found
    kpis = {name: part[f"_kpi_{name}"].to_numpy() for name in bench.config.data.kpis if f"_kpi_{name}" in part.columns}
    return found | kpis_per_row(scored.labels, scores, threshold, kpis)


def _baseline(bench: Bench, scored: Holdout) -> dict[str, float]:
    """Measure the champion, unless it has learned from some of the rows."""
    if bench.champion is None or scored.champion is None or scored.unseen < len(scored.labels):
        return {}
    return _measured(bench, scored, scored.champion, bench.champion.threshold)


def _data(bench: Bench, part: pl.DataFrame) -> TrainingData:
    known = seen_until(bench.champion)
    return TrainingData(
        rows=part.height,
        start=_moment(part["_time"][0]),
        end=_moment(part["_time"][-1]),
        source=bench.source,
        fingerprint=fingerprint(part, bench.config.features.names),
        version=bench.data_version,
        new_rows=unseen(part["_time"].to_numpy(), known),
    )


def features_of(config: ModelConfig, part: pl.DataFrame) -> tuple[Feature, ...]:
    """Describe the features as they are in *part*: ranges and levels."""
    numeric = [_numeric(name, part[name]) for name in config.features.numeric]
    dates = [_numeric(name, part[name], "date") for name in config.features.dates]
    return (*numeric, *dates, *[_categorical(name, part[name]) for name in config.features.categorical])


def _numeric(name: str, values: pl.Series, kind: Literal["numeric", "date"] = "numeric") -> Feature:
    return Feature(name=name, kind=kind, low=_number(values.min()), high=_number(values.max()))


def _categorical(name: str, values: pl.Series) -> Feature:
    return Feature(name=name, kind="categorical", levels=tuple(values.drop_nulls().unique().sort().to_list()))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
