"""Train one candidate: choose by the past, judge on the holdout, fold into files."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.data import feature_rows
from flows.errors import DataError
from flows.rollout.begin import configured_policy
from flows.training.card import Facts, card
from flows.training.contest import Contest, Entry, decide, families_of
from flows.training.family import Budget, Setting, fit
from flows.training.layout import Span, before, lay_out, unseen, window_text
from flows.training.metrics import measure
from flows.training.parity import Parity, check_parity
from flows.training.progress import Progress, silent, within
from flows.training.reference import reference
from flows.training.rows import Rows, fingerprint, refuse_empty, usable
from registry.records.version import Feature, ModelVersion, Task, TrainingData
from registry.scoring.scorer import Scorer, scorer_files

REFERENCE_FILE = "reference.json"
CARD_FILE = "card.md"
STUDY_SHARE = 0.7  # of the time budget; the rest is for fitting what won


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
        files: scorer.json, model.ubj (if boosted), reference.json, card.md; the same data,
            configuration and seed give the same bytes, unless the time budget ran out.
        refit: Whether the files hold a model that was fitted again, holdout included; the
            metrics are those of the recipe, fitted without it.
        baseline_metrics: The champion's, on the same rows; none if it has learned from some.
        entries: What was judged on the folds, the chosen one first.
        parity: Largest absolute difference between scorer and fitted pipeline.
        parent: The champion's version, if there is one.
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
    parity: float
    parent: str | None
    seed: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class _Built:
    files: dict[str, bytes]
    parity: Parity
    span: Span


def train_candidate(
    config: ModelConfig,
    frame: pl.DataFrame,
    *,
    champion: ModelVersion | None,
    champion_scorer: Scorer | None,
    seed: int,
    as_of: datetime,
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
        on_progress: Told the share done.

    Raises:
        DataError: If the rows cannot be learned from.
        NotEnoughData: If there are too few.
        ParityRefused: If the scorer disagrees with the fitted pipeline.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1, user_api="blas"):  # sums in another order would change the bytes
        return _train(config, frame, champion, champion_scorer, seed, as_of, on_progress)


def _train(
    config: ModelConfig,
    frame: pl.DataFrame,
    champion: ModelVersion | None,
    champion_scorer: Scorer | None,
    seed: int,
    as_of: datetime,
    on_progress: Progress,
) -> Candidate:
    started = time.monotonic()
    on_progress(0.0, "Check the rows")
    rows = usable(config, frame, as_of)
    contest = _contest(config, rows, champion, seed, started)
    first = contest.layout.windows[0]
    refuse_empty(config.features, rows, before(rows.times, contest.layout.holdout.start, first))
    entries = decide(contest, within(on_progress, 0.02, 0.85))
    best, holdout = entries[0], contest.layout.holdout
    asked = feature_rows(config, rows.cut(holdout))
    on_progress(0.85, f"Fit {best.setting.family} and score the holdout")
    judged = _build(contest, best, before(rows.times, holdout.start, best.window), asked)
    on_progress(0.92, "Fit again on all rows" if config.training.refit else "Describe the rows")
    served = (
        _build(contest, best, before(rows.times, holdout.stop, best.window), asked) if config.training.refit else judged
    )
    scored = Holdout(
        times=rows.times[holdout.start :],
        labels=rows.labels[holdout.start :],
        challenger=judged.parity.scores,
        champion=_champion_scores(config, rows.cut(holdout), champion_scorer),
        unseen=min(holdout.rows, unseen(rows.times, _seen_until(champion))),
    )
    return _describe(config, contest, entries, served, scored, champion, seed, started)


def _contest(config: ModelConfig, rows: Rows, champion: ModelVersion | None, seed: int, started: float) -> Contest:
    policy = configured_policy(config)
    known = (Setting(champion.algorithm, champion.params),) if champion else ()
    until = started + STUDY_SHARE * config.training.time_budget.total_seconds()
    return Contest(
        rows=rows,
        layout=lay_out(config.training, rows.times, seen_until=_seen_until(champion), least=policy.min_holdout),
        families=families_of(config, policy.metric, seed),
        metric=policy.metric,
        task=config.task,
        budget=Budget(trials=config.training.trials, until=until, known=known),
    )


def _seen_until(champion: ModelVersion | None) -> float | None:
    """Time of the newest row that the champion has learned from; a record keeps microseconds."""
    return champion.data.end.timestamp() + 1e-6 if champion and champion.data.end else None


def _build(contest: Contest, best: Entry, span: Span, asked: Sequence[Mapping[str, Any]]) -> _Built:
    """Fit on *span*, fold into files, and check them on the holdout."""
    family, holdout = contest.family(best.setting), contest.layout.holdout
    fitted = fit(family, best.setting, contest.rows.sample(span))
    files = scorer_files(*family.spec(fitted))
    expected = family.scores(fitted, contest.rows.sample(holdout))
    return _Built(files, check_parity(files, asked, expected, contest.task), span)


def _champion_scores(config: ModelConfig, part: pl.DataFrame, scorer: Scorer | None) -> NDArray[np.float64] | None:
    if scorer is None:
        return None
    needed = [column.feature for column in scorer.spec.columns]
    gone = [name for name in needed if name not in config.features.names and name not in part.columns]
    if gone:
        raise DataError(
            "Nothing was trained.",
            f"The champion needs {', '.join(map(repr, gone))}, which the rows no longer have.",
            "Keep the columns in the table until the next champion is chosen.",
        )
    extra = [name for name in needed if name not in config.features.names]
    rows = feature_rows(config, part)
    if extra:
        rows = [row | old for row, old in zip(rows, part.select(extra).to_dicts(), strict=True)]
    return scorer.score(rows)


def _describe(
    config: ModelConfig,
    contest: Contest,
    entries: Sequence[Entry],
    served: _Built,
    scored: Holdout,
    champion: ModelVersion | None,
    seed: int,
    started: float,
) -> Candidate:
    best, part = entries[0], contest.rows.cut(served.span)
    metrics = measure(config.task, scored.labels, scored.challenger)
    fair = scored.champion if scored.unseen == len(scored.labels) else None
    baseline = measure(config.task, scored.labels, fair) if fair is not None else {}
    data = _data(config, part)
    facts = Facts(
        config=config,
        data=data,
        entries=tuple(entries),
        metric=contest.metric,
        metrics=metrics,
        baseline=baseline,
        champion=champion.version if champion else None,
        holdout=(_moment(scored.times[0]), _moment(scored.times[-1]), len(scored.times)),
        parity=served.parity.largest,
        seed=seed,
    )
    files = served.files | {
        REFERENCE_FILE: reference(config, contest.rows, served.span.start, contest.layout.holdout, scored.challenger),
        CARD_FILE: card(facts).encode(),
    }
    return Candidate(
        files=files,
        task=config.task,
        algorithm=best.setting.family,
        params=best.setting.params | {"window": window_text(best.window), "refit": config.training.refit},
        features=_features(config, part),
        data=data,
        metrics=metrics,
        baseline_metrics=baseline,
        holdout=scored,
        refit=config.training.refit,
        entries=tuple(entries),
        parity=served.parity.largest,
        parent=champion.version if champion else None,
        seed=seed,
        duration_s=time.monotonic() - started,
    )


def _data(config: ModelConfig, part: pl.DataFrame) -> TrainingData:
    return TrainingData(
        rows=part.height,
        start=_moment(part["_time"][0]),
        end=_moment(part["_time"][-1]),
        source=config.data.source or "log of the router",
        fingerprint=fingerprint(part, config.features.names),
    )


def _features(config: ModelConfig, part: pl.DataFrame) -> tuple[Feature, ...]:
    numeric = [_numeric(name, part[name]) for name in config.features.numeric]
    return (*numeric, *[_categorical(name, part[name]) for name in config.features.categorical])


def _numeric(name: str, values: pl.Series) -> Feature:
    return Feature(name=name, kind="numeric", low=_number(values.min()), high=_number(values.max()))


def _categorical(name: str, values: pl.Series) -> Feature:
    return Feature(name=name, kind="categorical", levels=tuple(values.drop_nulls().unique().sort().to_list()))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
