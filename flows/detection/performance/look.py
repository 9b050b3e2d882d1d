"""One look at a champion's performance: realised where labels are, estimated where they are not."""

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from flows.config.model import ModelConfig
from flows.detection.performance.baseline import Baseline, against, judge, point_of, points_of, thresholds_of
from flows.detection.performance.calibrators import NONE, Calibrator, calibrator
from flows.detection.performance.estimate import Options, estimates
from flows.detection.performance.expected import EXPECTED, HITS
from flows.detection.performance.findings import floor_of, reach_findings, summary, trivial_accuracy
from flows.detection.performance.losses import Labelled, estimate_losses
from flows.detection.performance.pulls import KINDS, KPI
from flows.detection.performance.records import Check, Measure, Performance
from flows.detection.performance.rows import Scored, row_findings, scored
from flows.detection.performance.spread import Floats
from flows.detection.univariate.samples import numbers
from registry.records.version import ModelVersion

ROWS = "holdout_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What one look works with."""

    config: ModelConfig
    frame: pl.DataFrame
    rows: Scored
    holdout: Labelled | None
    baseline: Baseline
    seed: int

    @property
    def options(self) -> Options:
        limits = self.config.detection
        return Options(
            confidence=limits.performance.confidence,
            blind_gap=limits.performance.blind_gap,
            least=limits.min_labelled,
        )

    @property
    def enough(self) -> bool:
        return int(self.rows.known.sum()) >= self.config.detection.min_labelled


def performance(
    frame: pl.DataFrame,
    champion: ModelVersion,
    config: ModelConfig,
    seed: int,
    *,
    holdout: pl.DataFrame | None = None,
    holdout_rows: int | None = None,
) -> Performance:
    """
    Measure the champion on its own rows, hold it against its baseline, and estimate what has no label yet.

    Args:
        frame: Rows with `_score`, `_label`, `_version`, `_time`, features and `_kpi_<name>`, as
            `flows.data.live.live_frame` gives them; any column may be missing.
        champion: Its `metrics` are the baseline.
        config: Of the model; thresholds are in `detection.performance`.
        seed: Of the model of losses, and of the rows drawn for it.
        holdout: Rows of the holdout with `_score` and `_label`, if they are at hand: then the baseline
            has an error of its own, and scores are calibrated. With their features, losses are
            learned from them, too.
        holdout_rows: How many there were, where only that is known; else `metrics["holdout_rows"]`.

    Returns:
        What is not known is said, never an exception: absurd scores, one class only, no labels.
    """
    rows = scored(config.task, frame, champion.version)
    held = _held(config, holdout)
    bench = _Bench(
        config=config,
        frame=frame,
        rows=rows,
        holdout=held,
        baseline=_baseline(config, champion, held, holdout_rows),
        seed=seed,
    )
    realised = _realised(bench) if bench.enough else []
    guessed, checks = _estimated(bench)
    return _whole(bench, champion, realised, guessed, checks)


def _held(config: ModelConfig, holdout: pl.DataFrame | None) -> Labelled | None:
    """Labelled rows of the holdout, if there are enough to learn from."""
    if holdout is None:
        return None
    rows = scored(config.task, holdout)
    known = np.flatnonzero(rows.known)
    return Labelled(rows, holdout).cut(known) if known.size >= config.detection.min_labelled else None


def _baseline(config: ModelConfig, champion: ModelVersion, held: Labelled | None, rows: int | None) -> Baseline:
    stored = champion.metrics.get(ROWS)
    count = rows if rows is not None else None if stored is None else int(stored)
    if held is None:
        return Baseline(champion.metrics, count)
    own, limits = held.rows, config.detection.performance
    points = points_of(config.task, own.labels, own.scores, ordered=own.ordered, least=limits.min_each_class)
    for name in config.data.kpis:
        values = _kpi(held.frame, own, name)
        found = point_of(KPI, values, values, ordered=own.ordered)
        points |= {} if found is None else {name: found}
    return Baseline(champion.metrics, count, points)


def _realised(bench: _Bench) -> list[Measure]:
    config, rows, limits = bench.config, bench.rows, bench.config.detection.performance
    where, kinds = rows.known, dict(KINDS[config.task])
    labels, scores = rows.labels[where], rows.scores[where]
    points = points_of(config.task, labels, scores, ordered=rows.ordered, least=limits.min_each_class)
    thresholds = thresholds_of(limits, config.task)
    for name in config.data.kpis:
        values = _kpi(bench.frame, rows, name)
        found = point_of(KPI, values, values, ordered=rows.ordered)
        if found is not None and values.size >= config.detection.min_labelled:
            points[name], kinds[name], thresholds[name] = found, KPI, limits.kpi_drop
    measures = [against(name, kinds[name], one, bench.baseline, limits) for name, one in points.items()]
    higher = {name: kind.higher for name, kind in kinds.items()}
    return judge(measures, thresholds, higher, (1 - limits.confidence) / 2)


def _kpi(frame: pl.DataFrame, rows: Scored, name: str) -> Floats:
    """Values of a KPI that are numbers, in time order."""
    column = f"_kpi_{name}"
    if column not in frame.columns:
        return np.empty(0)
    values = numbers(frame[column]).fill_null(np.nan).to_numpy()[rows.places]
    return np.asarray(values[np.isfinite(values) & (np.abs(values) < 1e50)], dtype=np.float64)


def _estimated(bench: _Bench) -> tuple[list[Measure], list[Check]]:
    limits, missing = bench.config.detection.performance, int((~bench.rows.known).sum())
    if not limits.estimate or missing < limits.min_unlabelled:
        return [], []
    found, checks = _losses(bench) if bench.config.task == "regression" else _classes(bench)
    return [_with_change(bench, one) for one in found], checks


def _classes(bench: _Bench) -> tuple[list[Measure], list[Check]]:
    metrics = HITS if bench.config.task == "multiclass" else EXPECTED
    return estimates(bench.rows, _calibrator(bench.holdout), bench.options, metrics)


def _calibrator(held: Labelled | None) -> Calibrator:
    return NONE if held is None else calibrator(held.rows.labels, held.rows.scores)


def _losses(bench: _Bench) -> tuple[list[Measure], list[Check]]:
    """
    A holdout with its features is learned from.

    Without one it is the older half of the labelled rows, and the newer half checks it; with too few of them
    a holdout without features, by its predictions alone.
    """
    known, names = np.flatnonzero(bench.rows.known), bench.config.features.compared
    own, least = Labelled(bench.rows, bench.frame), bench.config.detection.min_labelled
    held = bench.holdout
    if held is not None and all(name in held.frame.columns for name in names):
        learned, checks = held, known
    elif known.size >= 2 * least:
        learned, checks = own.cut(known[: known.size // 2]), known[known.size // 2 :]
    elif held is not None:
        learned, checks = held, known
    elif known.size >= least:
        learned, checks = own.cut(known), known[:0]
    else:
        return [], []
    most = bench.config.detection.performance.most_fitted
    return estimate_losses(learned.newest(most), own, checks[-most:], bench.config.features, bench.options, bench.seed)


def _with_change(bench: _Bench, one: Measure) -> Measure:
    """Beside the baseline, but never judged: an estimate alone degrades nothing."""
    value = bench.baseline.values.get(one.name)
    if bench.baseline.points is not None and one.name in bench.baseline.points:
        value = bench.baseline.points[one.name].value
    if value is None or one.value is None or abs(value) < 1e-12:
        return one
    return msgspec.structs.replace(one, baseline=value, change=(one.value - value) / abs(value))


def _whole(
    bench: _Bench, champion: ModelVersion, realised: list[Measure], guessed: list[Measure], checks: list[Check]
) -> Performance:
    rows, limits = bench.rows, bench.config.detection.performance
    labels = rows.labels[rows.known]
    trivial = trivial_accuracy(labels) if bench.config.task == "binary" and bench.enough else None
    seen = Performance(
        version=champion.version,
        rows=rows.scores.size,
        labelled=labels.size,
        absurd=rows.absurd,
        confidence=limits.confidence,
        level=(1 - limits.confidence) / 2,
        enough=bench.enough,
        said="",
        measures=(*realised, *guessed),
        checks=tuple(checks),
        trivial=trivial,
        floor_broken=floor_of(realised, limits.accuracy_floor),
    )
    found = [*row_findings(rows), *reach_findings(seen, bench.config, labels), *_uncalibrated(bench, guessed)]
    said = summary(seen, bench.config.detection.min_labelled)
    return msgspec.structs.replace(seen, findings=tuple(found), said=said)


def _uncalibrated(bench: _Bench, guessed: list[Measure]) -> list[str]:
    if not guessed or bench.config.task == "regression" or _calibrator(bench.holdout) is not NONE:
        return []
    return ["Estimates take scores as they are: no labelled holdout scores are at hand to calibrate them."]
