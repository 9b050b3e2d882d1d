"""The rows and the history behind a decision, as far as its report draws them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.records.version import Task

Floats = NDArray[np.float64]
ArmName = Literal["champion", "challenger"]
ARMS: tuple[ArmName, ArmName] = ("champion", "challenger")


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """
    Labelled rows of one model; anything may be missing.

    Attributes:
        labels: Shape (n,), 0/1 or values; of several classes 1 where the predicted one is right.
        scores: Shape (n,), probabilities or values; of several classes the predicted one's probability.
        times: Shape (n,), epoch seconds.
    """

    labels: NDArray[Any] | None = None
    scores: NDArray[Any] | None = None
    times: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class TracePoint:
    """
    What was known at one look.

    Attributes:
        at: Epoch seconds.
        n: Labelled requests, or pairs, at that moment.
        estimate: Challenger minus champion; more is better.
        low, high: Always-valid interval; infinite before it can say anything.
        phase: Name of the rollout's phase, if known.
    """

    at: float
    n: int
    estimate: float
    low: float
    high: float
    phase: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """
    What a report draws beside the findings.

    Attributes:
        task: What labels and scores are.
        paired: Both models scored the same rows.
        arms: Rows of both; either may be missing.
        trace: The running estimate, oldest look first.
        trace_metric: What the running estimate is of.
    """

    task: Task
    paired: bool
    arms: Mapping[ArmName, Arm] = field(default_factory=dict)
    trace: tuple[TracePoint, ...] = ()
    trace_metric: str = ""


class Rows(NamedTuple):
    """Usable rows of one model, or why there are none."""

    labels: Floats
    scores: Floats
    times: Floats | None
    dropped: int
    why: str


def usable(arm: Arm | None) -> Rows:
    """
    Keep the rows whose label and score are finite numbers.

    Example:
        >>> rows = usable(Arm(labels=np.array([0, 1, 1]), scores=np.array([0.2, np.nan, 0.9])))
        >>> rows.scores.tolist(), rows.dropped
        ([0.2, 0.9], 1)
    """
    if arm is None or arm.labels is None or arm.scores is None:
        return _none("its labelled rows were not kept")
    labels, scores = _floats(arm.labels), _floats(arm.scores)
    if labels.size != scores.size:
        return _none(f"{labels.size} labels do not fit {scores.size} scores")
    times = None if arm.times is None or np.size(arm.times) != labels.size else _floats(arm.times)
    good = np.isfinite(labels) & np.isfinite(scores)
    if not good.any():
        return _none("it has no labelled row")
    times = None if times is None or not np.isfinite(times[good]).all() else times[good]
    return Rows(labels[good], scores[good], times, int(good.size - good.sum()), "")


def _floats(values: NDArray[Any]) -> Floats:
    return np.asarray(values, dtype=np.float64).ravel()


def _none(why: str) -> Rows:
    return Rows(np.empty(0), np.empty(0), None, 0, why)
