"""Train one candidate: choose by the past, judge on the holdout, fold into files."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.data.rows import TableRows, by_parts, feature_rows
from flows.detection.fusion.importance import importance
from flows.errors import DataError
from flows.training.bench import Bench, Built, Holdout, Scores, lay_bench
from flows.training.concluding import Conclusion, conclude
from flows.training.contest import Entry, decide
from flows.training.describing import Candidate, describe
from flows.training.families.calibration import corrected
from flows.training.families.family import fit
from flows.training.families.own import trusted_module
from flows.training.layout import Span, before
from flows.training.packing import pack
from flows.training.progress import Progress, silent, within
from flows.training.rows import Sample
from registry.records.version import ModelVersion


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
