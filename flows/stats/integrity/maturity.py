"""Label age: which rows may be compared, when labels arrive late."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats import checks
from flows.stats.results import probability
from flows.stats.tails import log_chi2

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_STEPS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAges:
    """
    One arm's requests and their labels at the minimum age.

    Attributes:
        requests: All, of any age.
        mature: At least as old as the minimum age.
        counted: Mature, and their label came within the minimum age.
        late: Mature, but their label came later than that; not counted, or older requests
            would have more labels than younger ones.
        missing: Mature, without any label yet.
        share: counted / mature; 0 when nothing is mature.
        median_age: Of the mature requests; 0 when nothing is mature.
    """

    arm: str
    requests: int
    mature: int
    counted: int
    late: int
    missing: int
    share: float
    median_age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgePoint:
    """
    Labelled share of one arm at one age, among the requests that are at least that old.

    Attributes:
        at_risk: Requests that are at least that old.
        labelled: Those whose label came within that age.
    """

    arm: str
    age: float
    at_risk: int
    labelled: int

    @property
    def share(self) -> float:
        """Labelled share; 0 when no request is that old."""
        return self.labelled / self.at_risk if self.at_risk else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maturity:
    """
    Which rows may be compared.

    Attributes:
        mature: Shape (n,). Requests at least as old as the minimum age.
        counted: Shape (n,). Mature rows whose label came within the minimum age.
        age: The minimum age, in the unit of the times.
        arms: In order of first appearance.
        curve: Labelled share by age, arm by arm.
        p_value, log_p: Single look, Kruskal-Wallis: do the mature requests of the arms
            differ in age? Small when weights changed; compare within phases then.
        age_gap: Largest difference between the arms' median ages.
        note: What a reader must know.
    """

    mature: Mask
    counted: Mask
    age: float
    arms: tuple[ArmAges, ...]
    curve: tuple[AgePoint, ...]
    p_value: float
    log_p: float
    age_gap: float
    note: str = ""


def maturity(
    requested: ArrayLike,
    labelled: ArrayLike,
    arms: Sequence[Hashable],
    *,
    now: float,
    age: float,
    ages: Sequence[float] = (),
) -> Maturity:
    """
    Pick the rows that compare all arms at equal label age.

    A row counts if its request is at least *age* old and its label came within *age*.
    Labels that came later do not count, though they are there: only older requests can
    have them, and the arms may differ in age.

    Args:
        requested: Shape (n,), times of the requests, e.g. seconds since an epoch.
        labelled: Shape (n,), times at which labels arrived; NaN where there is none yet.
        arms: Shape (n,), who answered.
        now: The present, on the same clock.
        age: Minimum age, at least 0.
        ages: Where to give the labelled share; by default a quarter to four times *age*.

    Raises:
        ValueError: If lengths differ, a time is infinite, a request has no time, or age is
            negative or not finite.

    Source:
        Kruskal and Wallis (1952), with correction for ties; agrees with `scipy.stats.kruskal`.

    Example:
        >>> seen = maturity([0, 0, 5, 9], [2, 9, 6, float("nan")], ["a", "b", "b", "a"], now=10, age=4)
        >>> seen.mature.tolist(), seen.counted.tolist()
        ([True, True, True, False], [True, False, True, False])
        >>> [(arm.arm, arm.counted, arm.late, arm.missing) for arm in seen.arms]
        [('a', 1, 0, 0), ('b', 1, 1, 0)]
    """
    asked, came, names = _times(requested, labelled, arms)
    if not (math.isfinite(age) and age >= 0 and math.isfinite(now)):
        raise ValueError(f"age is {age} and now is {now}; give a finite time, and an age of at least 0")
    known = came <= now
    mature, delay = now - asked >= age, np.where(known, came - asked, math.inf)
    counted = mature & (delay <= age) & (delay >= 0)
    levels = {level: code for code, level in enumerate(dict.fromkeys(names))}
    codes = np.fromiter((levels[name] for name in names), dtype=np.int64, count=len(names))
    groups = [codes == code for code in levels.values()]
    log_p = _kruskal([asked[group & mature] for group in groups])
    found = tuple(
        _arm(str(level), group, mature, counted, known, now - asked)
        for level, group in zip(levels, groups, strict=True)
    )
    medians = [arm.median_age for arm in found if arm.mature]
    return Maturity(
        mature=mature,
        counted=counted,
        age=age,
        arms=found,
        curve=tuple(
            _point(str(level), float(at), delay[group], (now - asked)[group])
            for level, group in zip(levels, groups, strict=True)
            for at in (ages or [step * age for step in _STEPS])
        ),
        p_value=probability(log_p),
        log_p=log_p,
        age_gap=max(medians) - min(medians) if medians else 0.0,
        note=_note(asked, came, mature, now),
    )


def _times(
    requested: ArrayLike, labelled: ArrayLike, arms: Sequence[Hashable]
) -> tuple[Floats, Floats, list[Hashable]]:
    asked, came, names = checks.finite("requested", requested), np.asarray(labelled, dtype=np.float64), list(arms)
    if came.ndim != 1 or not asked.size == came.size == len(names):
        raise ValueError(
            f"lengths differ (requested: {asked.size}, labelled: {came.size}, arms: {len(names)}); "
            "give the same rows to all"
        )
    infinite = int(np.count_nonzero(np.isinf(came)))
    if infinite:
        raise ValueError(f"labelled has {infinite} of {came.size} times that are infinite; use NaN for no label yet")
    return asked, came, names


def _arm(name: str, group: Mask, mature: Mask, counted: Mask, known: Mask, ages: Floats) -> ArmAges:
    old = group & mature
    n, used, labelled = int(old.sum()), int((old & counted).sum()), int((old & known).sum())
    return ArmAges(
        arm=name,
        requests=int(group.sum()),
        mature=n,
        counted=used,
        late=labelled - used,
        missing=n - labelled,
        share=used / n if n else 0.0,
        median_age=float(np.median(ages[old])) if n else 0.0,
    )


def _point(name: str, at: float, delay: Floats, age: Floats) -> AgePoint:
    old = age >= at
    return AgePoint(arm=name, age=at, at_risk=int(old.sum()), labelled=int((old & (delay <= at) & (delay >= 0)).sum()))


def _kruskal(groups: list[Floats]) -> float:
    groups = [group for group in groups if group.size]
    values = np.concatenate(groups) if groups else np.empty(0)
    n, (levels, place, size) = values.size, np.unique(values, return_inverse=True, return_counts=True)
    if len(groups) < 2 or levels.size < 2:
        return 0.0
    ranks = (np.cumsum(size) - (size - 1) / 2)[place]
    parts = np.split(ranks, np.cumsum([group.size for group in groups])[:-1])
    between = sum(part.size * (float(part.mean()) - (n + 1) / 2) ** 2 for part in parts)
    ties = 1 - float(np.sum((size / n) ** 3 - size / n**3)) / (1 - 1 / n**2)
    return log_chi2(12 * between / (n * (n + 1)) / ties, len(groups) - 1)


def _note(asked: Floats, came: Floats, mature: Mask, now: float) -> str:
    counts = {
        "requests lie in the future": int((asked > now).sum()),
        "labels lie in the future and do not count yet": int((came > now).sum()),
        "labels lie before their request and do not count": int((came < asked).sum()),
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return "; ".join(said if mature.any() else [*said, "no request is old enough"])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelStatement:
    """
    What is kept of labels that came more than once.

    Attributes:
        kept: Shape (n,). The first label of every key.
        keys: Different keys.
        duplicates: Later labels that repeat the first.
        conflicts: Later labels that contradict it.
        conflicting_keys: How many keys have such labels.
        note: The same in words; empty when every key came once.
    """

    kept: Mask
    keys: int
    duplicates: int
    conflicts: int
    conflicting_keys: int
    note: str = ""


def label_statement(keys: Sequence[str], values: ArrayLike) -> LabelStatement:
    """
    Keep the first label of every request and count what contradicts it.

    Args:
        keys: Shape (n,), ids of requests, in the order in which labels arrived.
        values: Shape (n,), the labels.

    Raises:
        ValueError: If lengths differ or a label is NaN or infinite.

    Example:
        >>> label_statement(["r1", "r2", "r1", "r2", "r2"], [1, 0, 1, 1, 0]).note
        '2 of 5 labels repeat an earlier one, 1 contradict it (1 requests); the first is kept'
    """
    labels = checks.finite("values", values)
    if labels.size != len(keys):
        raise ValueError(f"lengths differ (keys: {len(keys)}, values: {labels.size}); give the same rows to both")
    _, first, place = np.unique(np.asarray(keys, dtype=str), return_index=True, return_inverse=True)
    kept = np.zeros(labels.size, dtype=bool)
    kept[first] = True
    against = labels != labels[first][place] if labels.size else kept
    duplicates, conflicts = int(np.sum(~kept & ~against)), int(np.sum(against))
    clashing = int(np.unique(place[against]).size)
    said = (
        f"{duplicates} of {labels.size} labels repeat an earlier one, {conflicts} contradict it ({clashing} requests)"
    )
    return LabelStatement(
        kept=kept,
        keys=int(first.size),
        duplicates=duplicates,
        conflicts=conflicts,
        conflicting_keys=clashing,
        note=f"{said}; the first is kept" if duplicates + conflicts else "",
    )
