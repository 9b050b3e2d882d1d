"""What one training works with: rows, what is judged on what, and the champion."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.comparison.policy import configured_policy
from flows.config.model import ModelConfig
from flows.data.sources import name_of
from flows.training.concluding import Conclusion
from flows.training.contest import Contest
from flows.training.families.family import Budget, Setting, settings_of
from flows.training.families.make import families_of
from flows.training.layout import Span, lay_out, unseen
from flows.training.leakage import constants, leaks, refuse_leaks
from flows.training.packing import Packed
from flows.training.rows import Rows, refuse_empty, usable
from flows.training.tuning.basis import basis_of
from flows.training.tuning.plan import Tuning
from registry.records.version import ModelVersion

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
        return min(self.holdout.rows, unseen(self.rows.times, seen_until(self.champion)))


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


def _contest(
    config: ModelConfig, rows: Rows, champion: ModelVersion | None, seed: int, journal: Path | None
) -> Contest:
    until = time.monotonic() + STUDY_SHARE * config.training.time_budget.total_seconds()
    policy = configured_policy(config)
    known = settings_of(Setting(champion.algorithm, champion.params)) if champion else ()
    layout = lay_out(config.training, rows.times, seen_until=seen_until(champion), least=policy.min_holdout)
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


def seen_until(champion: ModelVersion | None) -> float | None:
    """Time of the newest row that the champion has learned from; a record keeps microseconds."""
    return champion.data.end.timestamp() + 1e-6 if champion and champion.data.end else None
