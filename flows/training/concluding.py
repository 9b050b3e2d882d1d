"""What is decided after a setting has won, on rows before the holdout: calibration and threshold."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flows.config.model import ModelConfig
from flows.training.contest import Contest, Entry
from flows.training.families.calibration import Later, calibrate, corrected
from flows.training.families.family import fit
from flows.training.metrics import THRESHOLD
from flows.training.packing import Ending
from flows.training.worth import Worth, best_threshold


@dataclass(frozen=True, slots=True)
class Conclusion:
    """
    How scores of the chosen setting are used.

    Attributes:
        ending: Goes into the scorer.
        said: How probabilities are corrected; empty if they are not.
    """

    ending: Ending
    said: str = ""


def conclude(config: ModelConfig, contest: Contest, best: Entry) -> Conclusion:
    """
    Calibrate, and choose the threshold, on the folds: each is newer than what it is scored by.

    The holdout has no part in it. Nothing is fitted where nothing is asked for.
    """
    training, classes = config.training, config.data.classes
    if training.calibration == "none" and training.value is None:
        return Conclusion(Ending(classes=classes))
    later = list(_later(contest, best, max(2, len(classes))))
    found = calibrate(config.task, later, training.calibration)
    threshold = THRESHOLD
    if training.value is not None and later:
        labels = np.concatenate([fold.labels for fold in later])
        scores = corrected(found.steps, np.concatenate([fold.scores for fold in later]))
        threshold = best_threshold(labels, scores, Worth.of(training.value))
    return Conclusion(Ending(classes=classes, calibration=found.steps, threshold=threshold), found.said)


def _later(contest: Contest, best: Entry, classes: int) -> Iterator[Later]:
    family = contest.family(best.setting)
    for future in contest.layout.folds:
        if contest.rows.classes(contest.rows.past(future, best.window), judged=future) >= classes:
            fold = contest.fold(future, best.window)
            fitted = fit(family, best.setting, fold.past)
            yield Later(fold.future.labels, family.scores(fitted, fold.future))
