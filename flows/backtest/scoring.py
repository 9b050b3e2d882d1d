"""What scores are worth: in all, batch by batch, and against each other."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flows.backtest.engine import Run, Setting
from flows.backtest.results import POINT, Difference
from flows.comparison.metrics import gains, value_of
from flows.stats.results import Effect
from registry.records.policy import direction_of

Floats = NDArray[np.float64]
DEPENDENT = 4  # batches nearer than so many may depend on each other


def value(setting: Setting, scores: Floats) -> float:
    """The metric over all scored rows; nan where it is undefined."""
    found = value_of(setting.table.task, setting.metric, setting.table.labels[int(setting.edges[0]) :], scores)
    return math.nan if found is None else found


def series(setting: Setting, scores: Floats) -> tuple[float | None, ...]:
    """The metric of each batch; None where it is undefined, such as the AUC of one class."""
    table, edges, first = setting.table, setting.edges.tolist(), int(setting.edges[0])
    return tuple(
        value_of(table.task, setting.metric, table.labels[a:b], scores[a - first : b - first])
        if setting.metric != "auc" or 0 < table.labels[a:b].mean() < 1
        else None
        for a, b in pairwise(edges)
    )


def batch_losses(setting: Setting, scores: Floats) -> Floats:
    """
    Mean loss of each batch, shape (batches,).

    Of the metric where it is a mean over rows, else the squared error.
    """
    lost = -gains(setting.metric, setting.table.labels[int(setting.edges[0]) :], scores)
    if setting.metric == "accuracy":
        lost = lost + 1
    starts = setting.edges[:-1] - setting.edges[0]
    return np.asarray(np.add.reduceat(lost, starts) / np.diff(setting.edges))


def difference(setting: Setting, ours: Run, theirs: Run, name: str) -> Difference:
    """Compare two policies; positive: ours is better."""
    effect = _effect(setting, ours.scores, theirs.scores)
    low, high = (None if not math.isfinite(bound) else bound for bound in (effect.low, effect.high))
    return Difference(
        against=name, estimate=effect.estimate, low=low, high=high, method=effect.method, said=_said(low, high)
    )


def lost_points(metric: str, ours: float, always: float) -> float:
    """Points by which ours is worse than always."""
    sign = 1 if direction_of(metric) == "higher" else -1
    return sign * (always - ours) / POINT.get(metric, 1.0) + 0.0


def gain_share(ours: float, never: float, always: float, metric: str) -> float | None:
    """Share of what always gains over never; None where it gains nothing."""
    sign = 1 if direction_of(metric) == "higher" else -1
    gained = sign * (always - never)
    return sign * (ours - never) / gained + 0.0 if gained > 0 else None


def _effect(setting: Setting, ours: Floats, theirs: Floats) -> Effect:
    if setting.metric == "auc":
        from flows.stats.paired.ranking import delong

        return delong(setting.table.labels[int(setting.edges[0]) :], theirs, ours)
    from flows.stats.paired.forecast import diebold_mariano

    return diebold_mariano(
        batch_losses(setting, theirs),
        batch_losses(setting, ours),
        power=1.0,
        kernel="bartlett",
        horizon=min(DEPENDENT, setting.batches // 2),
    )


def _said(low: float | None, high: float | None) -> str:
    if low is not None and low > 0:
        return "better"
    return "worse" if high is not None and high < 0 else "no difference shown"
