"""Decide on simulated windows, and hold the decisions against the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from deciding.fitting import WORTH, calibration_error, true_harm
from deciding.windows import Seen
from flows.config.load import parse_config
from flows.detection.fusion.decision import RetrainDecision, decide
from flows.detection.fusion.severity import LEVELS

CONFIG = {"model": "simulated", "task": "binary", "target": "y", "features": {"numeric": ["x0"]}}
LEAST_LABELLED = 100


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How right the decisions were."""

    windows: int
    order: float  # Spearman's rank correlation of severity and true harm, of windows with 100 labels at least
    order_of_loss: float  # the same with harm in units of the loss
    order_all: float  # the same as the first, of all windows
    calibration: float  # expected calibration error of the confidence, over all windows
    calibration_labelled: float
    base_rate: float
    named: float  # share of windows with a shifted feature whose first feature is that one
    named_count: int
    named_concept: float  # the same where only its effect changed, and the severity is above LOW
    calm: float  # share of windows where nothing changed with severity LOW
    surest: tuple[float, float]  # of confidence .8 and more: mean confidence, share that was right

    def __str__(self) -> str:
        said = [
            f"{name:22s} {value if isinstance(value, int) else np.round(value, 3)}"
            for name, value in vars(self).items()
        ]
        return "\n".join(said)


def figures(windows: Sequence[Seen]) -> Figures:
    config = parse_config(CONFIG, "the simulation")
    found = [decide(config, _with_look(window)) for window in windows]
    harm, loss = true_harm(list(windows)), np.array([window.loss_harm for window in windows])
    level = np.array([LEVELS.index(one.severity) for one in found])
    stated, right = np.array([one.confidence for one in found]), harm >= WORTH
    told = np.array([window.labelled >= LEAST_LABELLED for window in windows])
    calm = np.array([window.kind == "none" for window in windows])
    sure = stated >= 0.8
    shifted = [_first(w, d) for w, d in zip(windows, found, strict=True) if "shift" in w.kind or w.kind == "both"]
    concept = [_first(w, d) for w, d in zip(windows, found, strict=True) if w.kind == "concept" and d.severity != "LOW"]
    return Figures(
        windows=len(windows),
        order=_spearman(level[told], harm[told]),
        order_of_loss=_spearman(level[told], np.where(harm > 0, loss, 0.0)[told]),
        order_all=_spearman(level, harm),
        calibration=calibration_error(stated, right),
        calibration_labelled=calibration_error(stated[told], right[told]),
        base_rate=float(right.mean()),
        named=float(np.mean(shifted)) if shifted else float("nan"),
        named_count=len(shifted),
        named_concept=float(np.mean(concept)) if concept else float("nan"),
        calm=float((level[calm] == 0).mean()) if calm.any() else float("nan"),
        surest=(float(stated[sure].mean()), float(right[sure].mean())) if sure.any() else (0.0, 0.0),
    )


def _with_look(window: Seen):
    return window.evidence.plus(metrics={"drifted_features": float(len(window.evidence.drifted))})


def _first(window: Seen, decision: RetrainDecision) -> bool:
    return decision.affected_features[:1] == (window.feature,)


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(stats.spearmanr(one, other).statistic)
