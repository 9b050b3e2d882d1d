"""What a retraining would do, without doing it."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.config.durations import text
from flows.config.model import ModelConfig
from flows.data.contract.records import Contract
from flows.data.gather import Extracted, validated
from flows.training.bench import lay_bench
from flows.training.layout import window_text
from registry.records.version import ModelVersion

TRIAL_S = 4.7 / (80_000 * 30)
"""CPU seconds of one trial per cell; measured, see docs/training/tuning.md. Other tables differ threefold."""
REST = 1.4  # judging on all folds, and fitting twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    What would be trained.

    Attributes:
        found: Rows that were read, set_aside: that break the contract, repeated: that repeat others.
        rows: That the configured window holds; with `start` and `end`.
        holdout: The newest of them, on which champion and challenger are compared.
        unseen: Rows of the holdout that the champion has not learned from.
        about_s: A rough guess of how long it would take on one core.
        most: The time limit.
    """

    model: str
    source: str
    data_version: str
    found: int
    set_aside: int
    repeated: int
    rows: int
    start: datetime
    end: datetime
    window: str
    holdout: int
    holdout_start: datetime
    unseen: int
    families: tuple[str, ...]
    trials: int
    champion: str | None
    about_s: float
    most: str
    warnings: tuple[str, ...]


def preview(
    config: ModelConfig, found: Extracted, *, contract: Contract | None, champion: ModelVersion | None, as_of: datetime
) -> Preview:
    """
    Check and lay out the rows as a retraining would; nothing is kept.

    Raises:
        DataError: As the retraining would; NotEnoughData if there are too few rows.
    """
    with tempfile.TemporaryDirectory() as folder:
        checked = validated(config, found, contract, keep_in=Path(folder) / "rows.parquet")
    bench = lay_bench(config, checked.frame, champion=champion, champion_scorer=None, seed=0, as_of=as_of)
    times, window = bench.rows.times, bench.contest.layout.windows[0]
    start = bench.rows.past(bench.holdout, window).start
    rows = bench.holdout.stop - start
    return Preview(
        model=config.model,
        source=found.source,
        data_version=found.version,
        found=found.frame.height,
        set_aside=checked.report.quarantined if checked.report else 0,
        repeated=found.duplicates,
        rows=rows,
        start=_moment(times[start]),
        end=_moment(times[-1]),
        window=window_text(window),
        holdout=bench.holdout.rows,
        holdout_start=_moment(times[bench.holdout.start]),
        unseen=bench.unseen,
        families=config.training.families,
        trials=config.training.trials,
        champion=champion.version if champion else None,
        about_s=_guess(config, rows),
        most=text(config.training.time_limit),
        warnings=bench.warnings,
    )


def _guess(config: ModelConfig, rows: int) -> float:
    study = config.training.trials * len(config.training.families) * rows * len(config.features.names) * TRIAL_S
    return REST * min(study, config.training.time_budget.total_seconds()) + 2.0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
