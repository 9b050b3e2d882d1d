"""Which test belongs to which metric, when each model answered callers of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flows.comparison.classes import several
from flows.comparison.margins import champion_factor, with_margin
from flows.comparison.metrics import Floats, gains, in_units, value_of
from flows.comparison.paired_tests import Measured
from flows.comparison.planned import Arm, Arms, any_time_test, codes_of, first_rows, planned_test, repeated
from flows.comparison.rows import LABELS
from flows.stats.checks import finite
from flows.stats.moments import CoMoments
from flows.stats.results import AlwaysValid, Effect
from flows.stats.unpaired.cuped import cuped
from registry.records.policy import PromotionPolicy
from registry.records.version import Task

if TYPE_CHECKING:
    from flows.comparison.groups import GroupRows

Answer = Effect | AlwaysValid
_ROWWISE = ("accuracy", "brier", "log_loss", "mae", "rmse")


def group_test(
    task: Task,
    arms: Mapping[str, "GroupRows"],
    metric: str,
    policy: PromotionPolicy,
    *,
    margin: float = 0.0,
) -> Measured | None:
    """
    Test one metric on different callers; None if a group does not have it.

    With a *margin*, a share of the champion's value, bounds are those of the comparison at it.

    AUC, calibration and R2 are no means over rows; of these only AUC is tested, with DeLong's
    standard error of each group.
    """
    ours, theirs = arms["champion"], arms["challenger"]
    if metric in ours.kpis and metric in theirs.kpis:
        sign = 1.0 if policy.direction_for(metric) == "higher" else -1.0
        effect = _kpi(ours, theirs, metric, sign, policy, margin)
        return Measured(effect, _mean(ours.kpis[metric]), _mean(theirs.kpis[metric]))
    scored = [_scored(task, rows) for rows in (ours, theirs)]
    if scored[0] is None or scored[1] is None:
        return None
    (y1, s1), (y2, s2) = scored[0], scored[1]
    if not y1.size or not y2.size:
        return None
    values = [value_of(task, metric, y, s) for y, s in ((y1, s1), (y2, s2))]
    if values[0] is None or values[1] is None:
        return None
    if metric == "auc":
        arms_of_areas = Arm(s1, codes_of(ours.keys), ours.times, y1), Arm(s2, codes_of(theirs.keys), theirs.times, y2)
        return Measured(_tested(arms_of_areas, policy), values[0], values[1])
    if metric not in _ROWWISE:
        return None
    a, b = gains(metric, y1, s1), gains(metric, y2, s2)
    effect = _means(a, b, ours, theirs, policy, 0.0 if metric == "rmse" else margin)
    if metric == "rmse":
        effect = _root(effect, values[0])
    return Measured(effect, values[0], values[1])


def _scored(task: Task, rows: "GroupRows") -> tuple[Floats, Floats] | None:
    if rows.labels is None or rows.scores is None:
        return None
    labels = LABELS[task]("labels", rows.labels)
    return labels, rows.scores if several(rows.scores) else finite("scores", rows.scores)


def _kpi(
    ours: "GroupRows", theirs: "GroupRows", metric: str, sign: float, policy: PromotionPolicy, margin: float
) -> Answer:
    a, b = sign * finite(metric, ours.kpis[metric]), sign * finite(metric, theirs.kpis[metric])
    once = not (repeated(ours.keys) or repeated(theirs.keys))
    there = policy.method == "fixed" and a.size + b.size >= (policy.horizon or 0)
    if ours.covariate is None or theirs.covariate is None or not (once and there):
        return _means(a, b, ours, theirs, policy, margin)
    before, after = finite("covariate", ours.covariate), finite("covariate", theirs.covariate)
    first, second = first_rows(
        (Arm(a, None, ours.times), Arm(b, None, theirs.times)), policy.horizon or a.size + b.size
    )

    def adjusted(factor: float) -> Effect:
        arms = CoMoments.of(before[first], factor * a[first]), CoMoments.of(after[second], b[second])
        return cuped(*arms, confidence=1 - policy.alpha)

    return _level(adjusted, _mean(a), margin)


def _means(
    a: Floats, b: Floats, ours: "GroupRows", theirs: "GroupRows", policy: PromotionPolicy, margin: float
) -> Answer:
    def scaled(factor: float) -> Answer:
        arms = Arm(factor * a, codes_of(ours.keys), ours.times), Arm(b, codes_of(theirs.keys), theirs.times)
        return _tested(arms, policy)

    return _level(scaled, _mean(a), margin)


def _level(test: Callable[[float], Answer], mean: float, margin: float) -> Answer:
    plain = test(1.0)
    return with_margin(plain, test(champion_factor(mean, margin)), margin * abs(mean)) if margin else plain


def _tested(arms: Arms, policy: PromotionPolicy) -> Answer:
    """As the policy's method looks at it; keys are the unit where they come more than once."""
    if policy.method == "always_valid" or policy.horizon is None:
        return any_time_test(arms, policy)
    return planned_test(arms, policy, policy.horizon)


def _root(effect: Answer, champion: float) -> Answer:
    estimate, low, high = (in_units("rmse", g, champion, 0.0) for g in (effect.estimate, effect.low, effect.high))
    return replace(effect, estimate=estimate, low=low, high=high, method=f"{effect.method} of squared errors")


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if values.size else 0.0
