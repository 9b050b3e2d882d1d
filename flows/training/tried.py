"""The trials that a retraining has finished, for those who track them."""

from pathlib import Path

from flows.tracking.entry import Trial
from flows.training.tuning import trials
from flows.training.tuning.journal import Lines


def tried(journal: Path) -> tuple[Trial, ...]:
    """Read the trials of every family from the folder of a study; none if nothing was tried."""
    return tuple(
        Trial(
            number=one.number,
            family=file.stem.rpartition("-")[0],
            params=one.settled,
            loss=one.loss,
            state="pruned" if one.loss is None else "complete",
        )
        for file in sorted(journal.glob("*-*.jsonl"))
        for one in Lines(file).read(trials.Trial)
    )
