"""Looks that were planned beforehand: once at the horizon, or a few times on the way to it."""

import math
from typing import NamedTuple

import numpy as np

from flows.comparison.metrics import Floats
from flows.comparison.rows import Texts
from flows.stats.moments import CoMoments
from flows.stats.results import Effect
from flows.stats.sequential.group import spending
from flows.stats.sequential.group.design import GroupDesign
from flows.stats.sequential.group.monitor import Look, monitor
from flows.stats.unpaired.ratios import ratio_difference, ratio_moments
from flows.stats.wald import undecided
from registry.records.policy import PromotionPolicy

_SPENDING = {
    "obrien_fleming": spending.obrien_fleming(),
    "pocock": spending.pocock(),
    "power": spending.power_family(2.0),
    "hwang_shih_decani": spending.hwang_shih_decani(-4.0),
}


class Arm(NamedTuple):
    """Values of one arm, to whom they belong, and when they came."""

    values: Floats
    keys: Texts | None = None
    times: Floats | None = None


def planned_test(arms: tuple[Arm, Arm], policy: PromotionPolicy, horizon: int) -> Effect:
    """
    Difference of means at the looks that the policy plans, and at no others.

    Rows are taken in the order of their times, so that what is looked at is what was there
    when a planned number of rows had come, however often this is called. Without times the
    only look is that of today.
    """
    total = sum(arm.values.size for arm in arms)
    if policy.method == "fixed":
        if total < horizon:
            note = f"the plan looks once, at {horizon} rows; there are {total}"
            return undecided("fixed horizon", total, note, _plain(arms))
        ours, theirs = (units(arm) for arm in _first(arms, horizon))
        return ratio_difference(ours, theirs, confidence=1 - policy.alpha)
    fractions = tuple((k + 1) / policy.looks for k in range(policy.looks))
    design = GroupDesign(
        horizon=horizon,
        alpha=policy.alpha,
        spending=_SPENDING[policy.spending],
        fractions=fractions,
        power=policy.power,
    )
    sizes = [n for n in (math.ceil(f * horizon) for f in fractions) if n <= total]
    if any(arm.times is None for arm in arms):
        sizes = [total] if sizes else []
    if not sizes:
        note = f"the first look is planned at {math.ceil(horizon / policy.looks)} rows; there are {total}"
        return undecided("group sequential", total, note, _plain(arms))
    seen = monitor(design, [_look(_first(arms, n)) for n in sizes])
    return Effect(
        method=seen.method,
        estimate=seen.estimate,
        low=seen.low,
        high=seen.high,
        p_value=seen.p_value,
        log_p=seen.log_p,
        n=seen.n,
        note="; ".join(filter(None, (f"look {seen.look} of {policy.looks}", seen.note))),
    )


def units(arm: Arm) -> CoMoments:
    """Co-moments over keys of (number of values, sum of values)."""
    return per_key(arm.values, arm.keys)


def per_key(values: Floats, keys: Texts | None) -> CoMoments:
    """Co-moments over keys of (number of values, sum of values); without keys, every row is a unit."""
    if keys is None or not repeated(keys):
        return CoMoments.of(np.ones(values.size), values)
    _, codes = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True)
    return CoMoments.of(np.bincount(codes).astype(np.float64), np.bincount(codes, weights=values))


def repeated(keys: Texts | None) -> bool:
    """Whether some key comes more than once."""
    return keys is not None and len(set(keys)) < len(keys)


def _look(arms: tuple[Arm, Arm]) -> Look:
    total = sum(arm.values.size for arm in arms)
    if any(not arm.values.size for arm in arms):
        return Look(total, 0.0, 0.0)
    ours, theirs = (ratio_moments(units(arm)) for arm in arms)
    error = math.sqrt(sum(m.m2 / (m.n - 1) / m.n for m in (ours, theirs) if m.n > 1))
    few = min(ours.n, theirs.n) < 2
    return Look(total, theirs.mean - ours.mean, 0.0 if few else error)


def _first(arms: tuple[Arm, Arm], n: int) -> tuple[Arm, Arm]:
    """The first *n* rows of both arms together, in the order of time."""
    times = [arm.times for arm in arms]
    if times[0] is None or times[1] is None:
        return arms
    arrived = np.argsort(np.concatenate((times[0], times[1])), kind="stable")[:n]
    size = arms[0].values.size
    return _only(arms[0], np.sort(arrived[arrived < size])), _only(arms[1], np.sort(arrived[arrived >= size]) - size)


def _only(arm: Arm, chosen: np.ndarray) -> Arm:
    keys = None if arm.keys is None else tuple(arm.keys[i] for i in chosen)
    return Arm(arm.values[chosen], keys, None)


def _plain(arms: tuple[Arm, Arm]) -> float:
    if any(not arm.values.size for arm in arms):
        return 0.0
    return float(np.mean(arms[1].values) - np.mean(arms[0].values))
