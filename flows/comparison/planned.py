"""When a difference between two groups of callers is looked at: any time, at planned looks, or once."""

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.comparison.metrics import Floats
from flows.comparison.rows import Texts
from flows.stats.moments import CoMoments, Moments
from flows.stats.paired.area_rows import area_moments
from flows.stats.paired.clusters import cluster_codes
from flows.stats.results import AlwaysValid, Effect
from flows.stats.sequential.asymptotic import two_sample_sequence, unit_sequence
from flows.stats.sequential.group import spending
from flows.stats.sequential.group.design import GroupDesign
from flows.stats.sequential.group.monitor import Look, monitor
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.ratios import ratio_moments
from flows.stats.wald import undecided
from registry.records.policy import PromotionPolicy

Codes = NDArray[np.intp]
LEAST_OF_CLASS = 30
_SPENDING = {
    "obrien_fleming": spending.obrien_fleming(),
    "pocock": spending.pocock(),
    "power": spending.power_family(2.0),
    "hwang_shih_decani": spending.hwang_shih_decani(-4.0),
}


class Arm(NamedTuple):
    """
    Rows of one arm.

    Attributes:
        values: What is averaged; of an area, the scores.
        keys: Number of the key that a row belongs to, as of `codes_of`.
        times: When they came.
        labels: Of an area only.
    """

    values: Floats
    keys: Codes | None = None
    times: Floats | None = None
    labels: Floats | None = None


Arms = tuple[Arm, Arm]


def planned_test(arms: Arms, policy: PromotionPolicy, horizon: int) -> Effect:
    """
    Difference of means, or of areas, at the looks that the policy plans, and at no others.

    Rows are taken in the order of their times, so that what is looked at is what was there
    when a planned number of rows had come, however often this is called. Without times the
    only look is that of today.
    """
    total = sum(arm.values.size for arm in arms)
    if policy.method == "fixed":
        if total < horizon:
            note = f"the plan looks once, at {horizon} rows; there are {total}"
            return undecided("fixed horizon", total, note)
        ours, theirs = (summary(arm) for arm in _first(arms, horizon))
        found = welch(ours, theirs, confidence=1 - policy.alpha)
        return found if arms[0].labels is None else replace(found, method="DeLong, two groups, by Welch's t")
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
        return undecided("group sequential", total, note)
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


def any_time_test(arms: Arms, policy: PromotionPolicy) -> AlwaysValid:
    """Difference of means, or of areas, at any number of looks."""
    tuned = max(200, policy.min_labelled, (policy.horizon or 0) // 2)  # never by what has come: that would be peeking
    if arms[0].labels is None:
        ours, theirs = (per_key(arm.values, arm.keys) for arm in arms)
        return unit_sequence(ours, theirs, alpha=policy.alpha, tuned_to=tuned)
    few = any(_rarer(arm) < LEAST_OF_CLASS for arm in arms)
    parts = [Moments.empty() if few else summary(arm) for arm in arms]
    found = two_sample_sequence(*parts, alpha=policy.alpha, tuned_to=tuned)
    if few:
        return replace(found, note=f"fewer than {LEAST_OF_CLASS} rows of a class in a group, too few for an area")
    return replace(found, method="asymptotic confidence sequence of areas, DeLong's error")


def summary(arm: Arm) -> Moments:
    """Mean over rows, or area, of one arm; keys are the unit where they come more than once."""
    if arm.labels is None:
        return ratio_moments(per_key(arm.values, arm.keys))
    if _rarer(arm) < 2:
        return Moments.empty()
    return area_moments(arm.labels, arm.values, arm.keys if _again(arm.keys) else None)


def per_key(values: Floats, keys: Codes | None) -> CoMoments:
    """Co-moments over keys of (number of values, sum of values); without keys, every row is a unit."""
    if keys is None or not _again(keys):
        return CoMoments.of(np.ones(values.size), values)
    counts = np.bincount(keys)
    there = counts > 0
    return CoMoments.of(counts[there].astype(np.float64), np.bincount(keys, weights=values)[there])


@lru_cache(maxsize=2)
def codes_of(keys: Texts | None) -> Codes | None:
    """Keys numbered in the order in which they come; every metric of two groups asks for the same ones."""
    return None if keys is None else cluster_codes(keys, len(keys))


def _again(keys: Codes | None) -> bool:
    return keys is not None and keys.size > 0 and int(np.bincount(keys).max()) > 1


def repeated(keys: Texts | None) -> bool:
    """Whether some key comes more than once."""
    return keys is not None and len(set(keys)) < len(keys)


def _look(arms: Arms) -> Look:
    total = sum(arm.values.size for arm in arms)
    if any(not arm.values.size for arm in arms):
        return Look(total, 0.0, 0.0)
    ours, theirs = (summary(arm) for arm in arms)
    if min(ours.n, theirs.n) < 2:
        return Look(total, 0.0, 0.0)
    return Look(total, theirs.mean - ours.mean, math.hypot(ours.error, theirs.error))


def _rarer(arm: Arm) -> int:
    """Rows of the rarer class."""
    assert arm.labels is not None
    ones = int(arm.labels.sum())
    return min(ones, arm.labels.size - ones)


def first_rows(arms: Arms, n: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Positions of the first *n* rows of both arms together, in the order of time.

    Rows of the same moment are taken from both arms alike, by their place within their arm.
    """
    sizes = [arm.values.size for arm in arms]
    if arms[0].times is None or arms[1].times is None:
        return np.arange(sizes[0]), np.arange(sizes[1])
    place = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    arrived = np.lexsort((place, np.concatenate((arms[0].times, arms[1].times))))[:n]
    return np.sort(arrived[arrived < sizes[0]]), np.sort(arrived[arrived >= sizes[0]]) - sizes[0]


def _first(arms: Arms, n: int) -> Arms:
    ours, theirs = first_rows(arms, n)
    return _only(arms[0], ours), _only(arms[1], theirs)


def _only(arm: Arm, chosen: np.ndarray) -> Arm:
    if chosen.size == arm.values.size:
        return arm
    keys = None if arm.keys is None else arm.keys[chosen]
    return Arm(arm.values[chosen], keys, None, None if arm.labels is None else arm.labels[chosen])
