"""
Features that look like the answer: what no model will have when it is asked.

Every check compares with what honest data could show: a target that persists is nearly told by its
own past, and coarse rows have twins. Source of the list of checks: Kaufman, Rosset, Perlich and
Stitelman (2012), Leakage in data mining, ACM TKDD 6(4):15.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from flows.errors import DataError
from flows.training.layout import Span
from flows.training.rows import Rows
from registry.records.version import Task

Floats = NDArray[np.float64]
Check = Literal["proxy", "missing", "future", "sum", "twins"]
SAMPLED = 40_000
FEWEST = 100  # rows, below which nothing is said
BINS = 64
TELLS = 0.98
"""AUC, or share of the variance, from which one feature alone tells the answer."""
SHARPER = 4.0  # times less unexplained than by the label before it, as a target may persist
FUTURE = 0.98  # correlation with the next label
TWINS = 0.01  # share of judged rows
SUM = 0.999
"""Share of the variance from which a weighted sum of numbers is the answer."""
SUMMED = 4_000_000  # numbers that are summed, at most
CONTINUOUS = 0.5  # share of different values in a column, from which twins are no chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """
    One finding.

    Attributes:
        check: "proxy": a feature tells the answer; "missing": that it is missing does; "future": it is
            the next row's answer; "sum": features add up to it; "twins": judged rows were learned from before.
        feature: Which one; None for several, and for whole rows.
        value, bound: What was measured, and from where on it is a finding.
    """

    check: Check
    feature: str | None
    value: float
    bound: float
    said: str


def leaks(rows: Rows, task: Task, past: Span, judged: Span) -> tuple[Leak, ...]:
    """
    Look for features that tell the answer, and for rows on both sides of the split.

    Args:
        rows: In time order.
        task: Of multiclass labels, each class is taken against the others.
        past: What is learned from; the newest 40,000 rows are looked at.
        judged: What it is judged on.
    """
    if min(past.rows, judged.rows) < FEWEST:
        return ()
    seen = Span(max(past.start, past.stop - SAMPLED), past.stop)
    part, labels = rows.cut(seen), rows.labels[seen.start : seen.stop]
    found = [leak for name in rows.names for leak in _of_feature(part[name], labels, task)]
    if task == "regression" and not any(leak.check == "proxy" for leak in found):
        found += _sum(part, labels)
    twins = _twins(rows, past, judged)
    return (*found, twins) if twins else tuple(found)


def refuse_leaks(found: tuple[Leak, ...]) -> None:
    """
    Refuse to train with any.

    Raises:
        DataError: With all of them.
    """
    if found:
        raise DataError(
            "Nothing was trained.",
            " ".join(leak.said for leak in found),
            "Leave such features out, or set training.leakage to warn if they are known when callers ask.",
        )


def constants(rows: Rows, past: Span) -> tuple[str, ...]:
    """Say which features have one value only, from which nothing can be learned."""
    part = rows.cut(past)
    alike = [name for name in rows.names if part[name].drop_nulls().n_unique() == 1 and not part[name].null_count()]
    return tuple(
        f"Feature {name!r} is {part[name][0]!r} in all {past.rows} rows: nothing is learned." for name in alike
    )


def _of_feature(values: pl.Series, labels: Floats, task: Task) -> list[Leak]:
    """At most one finding per feature, the plainest first."""
    gone = values.is_null().to_numpy()
    known = ~gone
    if known.sum() >= FEWEST:
        told = _alone(values.filter(pl.Series(known)), labels[known], task)
        if _telling(told, labels, task):
            return [_proxy(values.name, told, task)]
        ahead = _ahead(values, labels)
        if ahead is not None:
            return [ahead]
    share = float(gone.mean())
    if 0.01 <= share <= 0.99:
        told = _told(gone.astype(np.float64), labels, task)
        if _telling(told, labels, task):
            return [_absence(values.name, told, share, task)]
    return []


def _alone(values: pl.Series, labels: Floats, task: Task) -> float:
    """How much the feature alone tells: by bins, and of a number also as a straight line."""
    told = _told(_scores(values, labels, task), labels, task)
    if task != "regression" or not values.dtype.is_numeric():
        return told
    return max(told, _correlation(values.to_numpy().astype(np.float64), labels) ** 2)


def _scores(values: pl.Series, labels: Floats, task: Task) -> Floats:
    """What the feature alone says of each row's answer: mean labels of its bin, of every other row only."""
    codes = _bins(values)
    target = _one_against_rest(labels) if task == "multiclass" else labels
    scores, even = np.empty(len(target)), np.arange(len(target)) % 2 == 0
    for asked in (even, ~even):
        counts = np.bincount(codes[~asked], minlength=codes.max() + 1)
        sums = np.bincount(codes[~asked], weights=target[~asked], minlength=len(counts))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), target[~asked].mean())
        scores[asked] = means[codes[asked]]
    return scores


def _bins(values: pl.Series) -> NDArray[np.int64]:
    if values.dtype == pl.String or values.n_unique() <= BINS:
        return np.asarray(values.rank("dense").to_numpy(), dtype=np.int64) - 1
    ranks = rankdata(values.to_numpy(), method="average")
    return np.asarray(np.minimum((ranks - 1) * BINS // len(ranks), BINS - 1), dtype=np.int64)


def _one_against_rest(labels: Floats) -> Floats:
    """The most frequent class; a proxy of the classes tells it as well."""
    classes, counts = np.unique(labels, return_counts=True)
    return np.asarray(labels == classes[np.argmax(counts)], dtype=np.float64)


def _told(scores: Floats, labels: Floats, task: Task) -> float:
    """AUC either way round, or share of the variance; 0 where labels do not vary."""
    if task == "regression":
        return _correlation(scores, labels) ** 2
    target = _one_against_rest(labels) if task == "multiclass" else labels
    positives = float(target.sum())
    negatives = len(target) - positives
    if not positives or not negatives:
        return 0.0
    area = (rankdata(scores)[target == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area))


def _telling(told: float, labels: Floats, task: Task) -> bool:
    """Nearly everything, and much more than the label before it would: some targets just persist."""
    before = _told(labels[:-1], labels[1:], task) if len(labels) > FEWEST else 0.0
    return told >= TELLS and (1 - told) * SHARPER <= 1 - before


def _sum(part: pl.DataFrame, labels: Floats) -> list[Leak]:
    """Whether numbers add up to the answer, as parts of a total do: learned on every other row, judged on the rest."""
    names = [name for name, kind in part.schema.items() if kind.is_numeric() and not name.startswith("_")]
    kept = min(len(labels), SUMMED // max(len(names), 1))
    if len(names) < 2 or kept < FEWEST + 2 * len(names):
        return []
    numbers = part[-kept:].select(pl.col(names).cast(pl.Float64).fill_null(pl.col(names).mean()).fill_null(0.0))
    matrix, answers = numbers.to_numpy(), labels[-kept:]
    centred = (matrix - matrix.mean(axis=0)) / np.where(matrix.std(axis=0) > 0, matrix.std(axis=0), 1.0)
    weights = np.linalg.lstsq(centred[::2], answers[::2] - answers.mean(), rcond=None)[0]
    told = _correlation(centred[1::2] @ weights, answers[1::2]) ** 2
    if told < SUM or not _telling(told, labels, "regression"):
        return []
    size = np.abs(weights)
    which = [names[place] for place in np.argsort(-size, kind="stable") if size[place] > 0.05 * size.max()]
    named, share = ", ".join(map(repr, which[:5])), f"{told:.2%} of the variance"
    said = f"A weighted sum of {named} is the answer ({share}): are they parts of it?"
    return [Leak(check="sum", feature=None, value=told, bound=SUM, said=said)]


def _ahead(values: pl.Series, labels: Floats) -> Leak | None:
    """Whether the feature is the label of the next row."""
    if not values.dtype.is_numeric():
        return None
    numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()[:-1]
    known = np.isfinite(numbers)
    if known.sum() < FEWEST:
        return None
    after, now = labels[1:][known], labels[:-1][known]
    found = abs(_correlation(numbers[known], after))
    honest = max(abs(_correlation(now, after)), abs(_correlation(numbers[known], now)))
    if found < FUTURE or (1 - found) * SHARPER > 1 - honest:
        return None
    said = f"Feature {values.name!r} is the answer of the next row (correlation {found:.3f}): it is not known in time."
    return Leak(check="future", feature=values.name, value=found, bound=FUTURE, said=said)


def _correlation(ours: Floats, theirs: Floats) -> float:
    first, second = ours - ours.mean(), theirs - theirs.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / size) if size > 0 else 0.0


def _twins(rows: Rows, past: Span, judged: Span) -> Leak | None:
    """Judged rows whose features were learned from, value by value, where that is no chance."""
    learned, held = rows.cut(past).select(rows.names), rows.cut(judged).select(rows.names)
    distinct = learned.unique()
    finest = max(rows.names, key=lambda name: distinct[name].n_unique())
    if distinct[finest].n_unique() < CONTINUOUS * distinct.height:
        return None
    known = held[finest].is_not_null()
    repeated = held.hash_rows(seed=0).is_in(learned.hash_rows(seed=0).unique().implode())
    share = float((repeated & known).to_numpy().mean())
    if share < TWINS:
        return None
    said = (
        f"{share:.1%} of the {judged.rows} judged rows were learned from before, with the same value of every feature."
        " Leave out repeated rows, or set training.grouped."
    )
    return Leak(check="twins", feature=None, value=share, bound=TWINS, said=said)


def _proxy(name: str, told: float, task: Task) -> Leak:
    said = f"Feature {name!r} alone tells the answer ({_measured(told, task)}): is it known before the outcome is?"
    return Leak(check="proxy", feature=name, value=told, bound=TELLS, said=said)


def _absence(name: str, told: float, share: float, task: Task) -> Leak:
    said = (
        f"Whether feature {name!r} is missing ({share:.0%} of the rows) tells the answer ({_measured(told, task)}):"
        " is it filled in after the outcome?"
    )
    return Leak(check="missing", feature=name, value=told, bound=TELLS, said=said)


def _measured(told: float, task: Task) -> str:
    return f"{told:.1%} of the variance" if task == "regression" else f"AUC {told:.3f}"
