"""Train one candidate: choose by the past, judge on the holdout, fold into files."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.comparison.policy import configured_policy
from flows.config.durations import text
from flows.config.model import ModelConfig
from flows.data.rows import TableRows, by_parts, feature_rows
from flows.data.sources import name_of
from flows.detection.fusion.importance import importance
from flows.detection.standard import REFERENCE_FILE, STANDARD_FILE
from flows.errors import DataError
from flows.training.card import Facts, card
from flows.training.concluding import Conclusion, conclude
from flows.training.contest import Contest, Entry, decide
from flows.training.families.calibration import corrected
from flows.training.families.family import Budget, Setting, fit, settings_of
from flows.training.families.make import families_of
from flows.training.families.own import trusted_module
from flows.training.layout import Span, before, lay_out, unseen, window_text
from flows.training.leakage import constants, leaks, refuse_leaks
from flows.training.metrics import kpis_per_row, measure
from flows.training.packing import Packed, pack
from flows.training.progress import Progress, silent, within
from flows.training.reference import reference, standard
from flows.training.rows import Rows, Sample, fingerprint, refuse_empty, usable
from flows.training.tuning.basis import basis_of
from flows.training.tuning.plan import Tuning
from flows.training.worth import Worth
from registry.records.version import Feature, ModelVersion, Serving, Task, TrainingData

CARD_FILE = "card.md"
STUDY_SHARE = 0.7  # of the time budget; the rest is for fitting what won


class Scores(Protocol):
    """Scores tables."""

    def score(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Score each row; shape (n,)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """
    Newest rows, scored by both through the files that are served.

    Attributes:
        challenger: Scores of the recipe, fitted without these rows.
        champion: Scores of the champion, if there is one.
        unseen: How many of these rows, counted from the newest, the champion has not
            learned from; the two may be compared on no others.
    """

    times: NDArray[np.float64]
    labels: NDArray[np.float64]
    challenger: NDArray[np.float64]
    champion: NDArray[np.float64] | None
    unseen: int


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


@dataclass(frozen=True, slots=True)
class Built:
    """Fitted on *span*, folded into files, and checked."""

    packed: Packed
    span: Span
    importance: dict[str, float]
    expected: NDArray[np.float64]
    end: Conclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What one training works with."""

    config: ModelConfig
    contest: Contest
    champion: ModelVersion | None
    scorer: Scores | None
    seed: int
    warnings: tuple[str, ...] = ()
    source: str = ""
    data_version: str = ""

    @property
    def rows(self) -> Rows:
        """All that may be learned from."""
        return self.contest.rows

    @property
    def holdout(self) -> Span:
        """Rows that both are judged on."""
        return self.contest.layout.holdout

    @property
    def parent(self) -> str | None:
        """The champion's version, if there is one."""
        return self.champion.version if self.champion else None

    @property
    def unseen(self) -> int:
        """Rows of the holdout that the champion has not learned from."""
        return min(self.holdout.rows, unseen(self.rows.times, _seen_until(self.champion)))


def train_candidate(
    config: ModelConfig,
    frame: pl.DataFrame,
    *,
    champion: ModelVersion | None,
    champion_scorer: Scores | None,
    seed: int,
    as_of: datetime,
    journal: Path | None = None,
    on_progress: Progress = silent,
) -> Candidate:
    """
    Train, choose and judge.

    Args:
        config: One model's configuration.
        frame: Labelled rows: feature columns, `_time`, `_key`, `_label`.
        champion: In production now; its parameters are tried first.
        champion_scorer: Scores the holdout for comparison.
        seed: The same one gives the same files.
        as_of: Later rows are left out.
        journal: Folder of finished trials, from which a killed tuning goes on; nothing is kept if absent.
        on_progress: Told the share done.

    Raises:
        DataError: If the rows cannot be learned from.
        NotEnoughData: If there are too few.
        ParityRefused: If even the stored pipeline says something else than the fitted one.
        RegistryError: If the champion is a server, and gives no scores.
    """
    started = time.monotonic()
    on_progress(0.0, "Check the rows")
    bench = lay_bench(
        config, frame, champion=champion, champion_scorer=champion_scorer, seed=seed, as_of=as_of, journal=journal
    )
    entries = tune(bench, within(on_progress, 0.02, 0.85))
    served, scored = fit_and_score(bench, entries[0], within(on_progress, 0.85, 1.0))
    return describe(bench, entries, served, scored, time.monotonic() - started)


def lay_bench(
    config: ModelConfig,
    frame: pl.DataFrame,
    *,
    champion: ModelVersion | None,
    champion_scorer: Scores | None,
    seed: int,
    as_of: datetime,
    source: str = "",
    data_version: str = "",
    journal: Path | None = None,
) -> Bench:
    """
    Prepare: keep the rows that can be learned from, and lay out what is judged on what.

    The time budget of the study begins here.

    Args:
        config: One model's configuration.
        frame: As for `train_candidate`.
        champion: In production now.
        champion_scorer: Scores the holdout for comparison.
        seed: The same one gives the same files.
        as_of: Later rows are left out.
        source: Where the rows come from; as the configuration says if empty.
        data_version: Which state of it.
        journal: As for `train_candidate`.

    Raises:
        DataError: If the rows cannot be learned from; NotEnoughData if there are too few.
    """
    rows = usable(config, frame, as_of)
    contest = _contest(config, rows, champion, seed, journal)
    bench = Bench(
        config=config,
        contest=contest,
        champion=champion,
        scorer=champion_scorer,
        seed=seed,
        source=source or name_of(config.data.source),
        data_version=data_version,
    )
    past = rows.past(bench.holdout, contest.layout.windows[0])
    refuse_empty(config.features, rows, past, bench.holdout)
    return replace(bench, warnings=(*_warnings(config, rows, past, bench.holdout), *_stale(bench)))


def _warnings(config: ModelConfig, rows: Rows, past: Span, holdout: Span) -> tuple[str, ...]:
    """What people should know of the rows before they trust what was learned from them."""
    found = () if config.training.leakage == "off" else leaks(rows, config.task, past, holdout)
    if config.training.leakage == "refuse":
        refuse_leaks(found)
    return (*(leak.said for leak in found), *constants(rows, past))


def _stale(bench: Bench) -> tuple[str, ...]:
    """Say that no row is new, as then nothing can be compared on the holdout."""
    if bench.champion is None or bench.unseen:
        return ()
    said = f"Champion {bench.champion.version} has learned from every row: the two cannot be compared on the holdout"
    return (f"{said}, and the metrics are those of {bench.holdout.rows} rows.",)


def tune(bench: Bench, on_progress: Progress = silent) -> tuple[Entry, ...]:
    """Try settings, families and windows on the rows before the holdout; the best first."""
    with _one_order():
        return tuple(decide(bench.contest, on_progress))


def fit_and_score(bench: Bench, best: Entry, on_progress: Progress = silent) -> tuple[Built, Holdout]:
    """
    Fit what is judged, without the holdout, and what is served, which may have seen it.

    Raises:
        ParityRefused: If even the stored pipeline says something else than the fitted one.
        RegistryError: If the champion is a server, and gives no scores.
    """
    with _one_order():
        return _build_both(bench, best, on_progress)


def _one_order() -> contextlib.AbstractContextManager[object]:
    """Sums in another order would change the bytes."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return cast(contextlib.AbstractContextManager[object], threadpool_limits(limits=1, user_api="blas"))


def _contest(
    config: ModelConfig, rows: Rows, champion: ModelVersion | None, seed: int, journal: Path | None
) -> Contest:
    until = time.monotonic() + STUDY_SHARE * config.training.time_budget.total_seconds()
    policy = configured_policy(config)
    known = settings_of(Setting(champion.algorithm, champion.params)) if champion else ()
    layout = lay_out(config.training, rows.times, seen_until=_seen_until(champion), least=policy.min_holdout)
    is_kept = journal is not None or config.training.engine == "storage"
    basis = basis_of(config, rows, layout, policy.metric, seed) if is_kept else ""
    tuning = Tuning.of(config.training, folder=journal, basis=basis)
    return Contest(
        rows=rows,
        layout=layout,
        families=families_of(config, policy.metric, seed),
        metric=policy.metric,
        task=config.task,
        budget=Budget(trials=config.training.trials, until=until, known=known, tuning=tuning),
    )


def _seen_until(champion: ModelVersion | None) -> float | None:
    """Time of the newest row that the champion has learned from; a record keeps microseconds."""
    return champion.data.end.timestamp() + 1e-6 if champion and champion.data.end else None


def _build_both(bench: Bench, best: Entry, on_progress: Progress) -> tuple[Built, Holdout]:
    config, rows, holdout = bench.config, bench.rows, bench.holdout
    asked = TableRows(config, rows.cut(holdout))
    on_progress(0.0, f"Fit {best.setting.family} and score the holdout")
    end = conclude(config, bench.contest, best)
    judged = _build(bench, best, rows.past(holdout, best.window), asked, end)
    scored = Holdout(
        times=rows.times[holdout.start :],
        labels=rows.labels[holdout.start :],
        challenger=judged.packed.parity.scores,
        champion=_champion_scores(config, rows.cut(holdout), bench),
        unseen=bench.unseen,
    )
    if not config.training.refit:
        return judged, scored
    on_progress(0.5, "Fit again on all rows")
    return _build(bench, best, before(rows.times, holdout.stop, best.window), asked, end), scored


def _build(bench: Bench, best: Entry, span: Span, asked: Sequence[Mapping[str, Any]], end: Conclusion) -> Built:
    family = bench.contest.family(best.setting)
    held = bench.rows.sample(bench.holdout)
    fitted = fit(family, best.setting, bench.rows.sample(span, judged=_judged(bench, span)))
    expected = corrected(end.ending.calibration, family.scores(fitted, held))
    packed = pack(
        fitted,
        bench.config.features,
        bench.config.task,
        rows=asked,
        expected=expected,
        folding=lambda: family.spec(fitted),
        ending=end.ending,
        package=trusted_module(best.setting.family),
    )
    weights = importance(
        lambda frame: family.scores(fitted, Sample(frame, held.labels)), held.features, seed=bench.seed
    )
    return Built(packed, span, weights, expected, end)


def _judged(bench: Bench, span: Span) -> Span | None:
    """Rows that a fit on *span* is judged on; none if it holds them."""
    return bench.holdout if span.stop <= bench.holdout.start else None


def _champion_scores(config: ModelConfig, part: pl.DataFrame, bench: Bench) -> NDArray[np.float64] | None:
    if bench.champion is None or bench.scorer is None:
        return None
    needed = [feature.name for feature in bench.champion.features]
    gone = [name for name in needed if name not in config.features.names and name not in part.columns]
    if gone:
        raise DataError(
            "Nothing was trained.",
            f"The champion needs {', '.join(map(repr, gone))}, which the rows no longer have.",
            "Keep the columns in the table until the next champion is chosen.",
        )
    extra = [name for name in needed if name not in config.features.names]
    if not extra:
        return by_parts(bench.scorer.score, TableRows(config, part))
    rows = zip(feature_rows(config, part), part.select(extra).to_dicts(), strict=True)
    return bench.scorer.score([row | old for row, old in rows])


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
    known = _seen_until(bench.champion)
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
