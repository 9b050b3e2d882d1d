"""Everything that is measured at one look, and what it means together; no framework, nothing stored."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import polars as pl

from flows.config.model import ModelConfig
from flows.data.dates import with_parts
from flows.detection.classes import as_hits
from flows.detection.drift import drift, drift_between
from flows.detection.fusion.cadence import overdue
from flows.detection.fusion.decision import decide
from flows.detection.fusion.mapping import evidence_of
from flows.detection.fusion.recoverable import LEAST_ROWS, Recoverable, recoverable
from flows.detection.fusion.rooms import estimate_signal, joint_signal, stream_signal
from flows.detection.fusion.signals import Evidence
from flows.detection.joint.drift import JointDrift, joint_drift
from flows.detection.judging.report import DriftReport
from flows.detection.look import Look
from flows.detection.performance.look import performance
from flows.detection.performance.records import Performance
from flows.detection.season.look import season_drift, season_metrics
from flows.detection.season.persistence import lasting
from flows.detection.season.rolling import rows_before
from flows.detection.signals import BACK, age_metrics, error_metrics, kpi_metrics, row_losses
from flows.detection.standard import Kept, Standard
from flows.detection.streams.error_trend import ErrorTrend, error_trend
from flows.detection.univariate.profile import ReferenceProfile
from registry.records.version import ModelVersion

FOLLOWED = 20_000
"""Newest labelled rows of the champion that its errors are followed through."""


class Seen(NamedTuple):
    """
    What a look is made of.

    Attributes:
        rows: Newest rows in time order, labelled or not, as `flows.data.live.live_frame` gives them.
        labelled: Newest labelled rows, likewise.
        before: Rows of `season.rolling` before the window, where the reference is a rolling one; else None.
        new_rows: Labelled rows that nobody has tried to learn from yet.
        first_trained: When the model's first version was made.
        history: Reports of earlier looks, oldest first.
    """

    rows: pl.DataFrame
    labelled: pl.DataFrame
    new_rows: int
    first_trained: datetime
    before: pl.DataFrame | None = None
    history: tuple[DriftReport, ...] = ()


def looked(
    config: ModelConfig,
    seen: Seen,
    champion: ModelVersion,
    kept: Kept,
    now: datetime,
) -> Look:
    """Measure everything, and decide."""
    reference, standard = kept
    window = seen.rows.tail(config.detection.window)
    season = season_drift(standard.season, window, config) if standard.season else None
    report = _report(config, seen, window, reference, season)
    joint = _jointly(config, standard, window)
    seen = seen._replace(rows=as_hits(config, seen.rows), labelled=as_hits(config, seen.labelled))
    own, recent = _own(champion, seen.labelled), _recent(config, seen.labelled)
    errors, error_times = _errors(config, own)
    quality = _performance(config, seen, champion, standard)
    refit = _refit(config, own, errors, champion)
    lasts = _lasting((*seen.history, report), config.detection.season.looks)
    sure = _confirmed(config, seen, report)
    metrics = {
        **sure.metrics(),
        **(season_metrics(season) if season else {}),
        "lasting_features": None if lasts is None else float(len(lasts)),
        **(joint.metrics() if joint else {}),
        **errors.metrics(),
        **_known_over(error_metrics(config, recent, champion), quality.metrics()),
        **refit.metrics(),
        **age_metrics(champion, seen.new_rows, now),
        "overdue_days": overdue(champion.created_at, seen.first_trained, now, config.detection.cadence),
        **kpi_metrics(config, recent),
    }
    evidence = _evidence(metrics, sure, standard, (joint, errors, quality, refit))
    return Look(
        model=config.model,
        at=now,
        champion=champion.version,
        decision=decide(config, evidence, in_service=now - seen.first_trained),
        drift=report,
        season=season,
        joint=joint,
        errors=errors,
        error_times=error_times,
        performance=quality,
        lasting=lasts or (),
    )


def _report(
    config: ModelConfig, seen: Seen, window: pl.DataFrame, reference: ReferenceProfile, season: DriftReport | None
) -> DriftReport:
    """Against the reference that the configuration names; the training rows where that one has not enough."""
    wanted = config.detection.season.reference
    if wanted == "season" and season is not None and season.enough:
        return season
    if wanted == "rolling" and seen.before is not None and seen.before.height >= config.detection.min_rows:
        before = rows_before(seen.before, window, config.detection.season.rolling)
        if before.height >= config.detection.min_rows:
            return drift_between(before, window, config)
    return drift(reference, window, config)


def _confirmed(config: ModelConfig, seen: Seen, report: DriftReport) -> DriftReport:
    """What the rules go by: drift from what a season lets expect counts once a second look has seen it, too."""
    if config.detection.season.reference != "season" or not report.enough:
        return report
    return lasting((*seen.history, report), config.detection.season.looks)


def _jointly(config: ModelConfig, standard: Standard, window: pl.DataFrame) -> JointDrift | None:
    if standard.joint is None:
        return None
    known = [name for name in config.features.compared if name in window.columns]
    return joint_drift(standard.joint, window.select(known), config.detection.joint, config.training.seed)


def _own(champion: ModelVersion, labelled: pl.DataFrame) -> pl.DataFrame:
    """Rows that the champion answered itself: another version's errors are not its own."""
    return labelled.filter(pl.col("_version") == champion.version).tail(FOLLOWED)


def _recent(config: ModelConfig, labelled: pl.DataFrame) -> pl.DataFrame:
    """Rows of the newest window of errors and of those that it is compared with."""
    return labelled.tail((BACK + 1) * config.detection.error_window)


def _errors(config: ModelConfig, own: pl.DataFrame) -> tuple[ErrorTrend, tuple[float, ...]]:
    usable = own.filter(pl.col("_label").is_finite() & pl.col("_score").is_finite())
    at = usable["_time"].to_list()
    found = error_trend(row_losses(config, usable), [datetime.fromtimestamp(one, UTC) for one in at], config.detection)
    return found, tuple(at[window.last] for window in found.windows)


def _performance(config: ModelConfig, seen: Seen, champion: ModelVersion, standard: Standard) -> Performance:
    waiting = seen.rows.filter(pl.col("_label").is_null())
    frame = pl.concat([_recent(config, seen.labelled), waiting], how="vertical").sort("_time", maintain_order=True)
    # A model of losses learns from features, which are not kept: for regression only the size of the holdout is told.
    held = standard.holdout() if config.task != "regression" else None
    return performance(
        frame, champion, config, config.training.seed, holdout=held, holdout_rows=len(standard.scores) or None
    )


def _refit(config: ModelConfig, own: pl.DataFrame, errors: ErrorTrend, champion: ModelVersion) -> Recoverable:
    """What a refit would win back; since the errors rose, if they did, as rows before say nothing of what came then."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    usable = own.filter(pl.col("_label").is_finite() & pl.col("_score").is_finite())
    newest = _recent(config, usable)
    rises = [mark for mark in errors.marks if mark.kind == "rise"]
    if errors.alarm and rises:
        newest = newest.tail(max(LEAST_ROWS, errors.rows - rises[-1].since))
    with threadpool_limits(limits=1):  # many small products: threads would only wait for each other
        return _recoverable(config, newest, champion)


def _recoverable(config: ModelConfig, newest: pl.DataFrame, champion: ModelVersion) -> Recoverable:
    return recoverable(
        with_parts(newest.select(config.features.names), config.features.dates),
        newest["_score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        newest["_label"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        task=config.task,
        baseline=champion.metrics.get("loss"),
        seed=config.training.seed,
    )


def _lasting(history: Sequence[DriftReport], looks: int) -> tuple[str, ...] | None:
    """Features that drifted at all of the last looks; None until there were so many."""
    known = [report for report in history if report.enough]
    if not history[-1].enough or len(known) < looks:
        return None
    return tuple(feature.name for feature in lasting(history, looks).drifted)


def _known_over(first: dict[str, float | None], second: dict[str, float | None]) -> dict[str, float | None]:
    """The second where it is known, else the first."""
    return first | {name: value for name, value in second.items() if value is not None or name not in first}


def _evidence(
    metrics: dict[str, float | None],
    report: DriftReport,
    standard: Standard,
    rooms: tuple[JointDrift | None, ErrorTrend, Performance, Recoverable],
) -> Evidence:
    joint, errors, quality, refit = rooms
    found = (joint_signal(joint), stream_signal(errors), estimate_signal(quality), refit.signal())
    return evidence_of(metrics, report, standard.importance).plus(*(one for one in found if one is not None))
