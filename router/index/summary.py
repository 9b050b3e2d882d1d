"""Columns of a phase into sufficient statistics."""

import math
import sys
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.records.live import Joint, Moments, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.version import Task
from router.index.columns import NONE, Columns, Names, Table
from router.index.histograms import ks, latency_histogram, psi, score_histogram

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Places = NDArray[np.intp]
_LARGEST = sys.float_info.max
_OLDEST = 2.0**62


class Ripe(NamedTuple):
    """
    Which labels and KPIs count.

    Attributes:
        clock: The model's, in epoch seconds.
        age: Only those of requests at least so many seconds old; 0: all.
    """

    clock: float = 0.0
    age: float = 0.0

    def of(self, times: Floats) -> Truths:
        """Whether requests of these times are old enough."""
        return times <= self.clock - self.age if self.age > 0 else np.ones(len(times), np.bool_)


def variants(columns: Columns, task: Task, names: Names, ripe: Ripe) -> dict[str, VariantMetrics]:
    """Statistics of every variant; of those who take part only, if anybody was dealt to a challenger."""
    assigned, part, kpis = columns.rows("assigned"), _part(columns), columns.kpis()
    kpis = kpis[ripe.of(columns.rows("time"))[kpis["row"]]]
    texts = list(names.codes)
    return {
        texts[code]: msgspec.structs.replace(
            _variant(columns, part & (assigned == code), kpis, task, names, ripe),
            ages=ages(columns, code, ripe.clock),
        )
        for code in np.unique(assigned[part]).tolist()
    }


def shadows(columns: Columns, task: Task, names: Names, ripe: Ripe) -> dict[str, ShadowMetrics]:
    """Statistics of every shadow that watched."""
    version, watched = columns.copies("version"), columns.watched()
    return {
        name: _shadow(columns, version == names.code([name])[0], (name, watched[name]), task, names, ripe)
        for name in {**watched, **names.counts(version)}
    }


def ages(columns: Columns, variant: int, clock: float) -> dict[str, tuple[int, int]]:
    """Answered requests of a variant, and those with a label, by age in powers of two seconds."""
    chosen = _part(columns) & (columns.rows("assigned") == variant) & ~np.isnan(columns.rows("score"))
    with np.errstate(over="ignore"):
        old = np.clip(clock - columns.rows("time")[chosen], 0.0, _OLDEST)
    _, exponent = np.frexp(old)  # old = m * 2**exponent, 1/2 <= m < 1
    bucket = np.maximum(exponent, 0)
    asked, labelled = np.bincount(bucket), np.bincount(bucket, ~np.isnan(columns.rows("loss")[chosen]))
    return {str(2**b >> 1): (int(asked[b]), int(labelled[b])) for b in np.flatnonzero(asked).tolist()}


def moments(values: Floats) -> Moments:
    """Count, mean and sum of squared deviations, in two passes."""
    if not len(values):
        return Moments()
    mean, deviations = _centred(values)
    return Moments(n=len(values), mean=_finite(mean), m2=_finite(_sum(deviations, deviations)))


def unit_moments(unit: Places, values: Floats) -> UnitMoments:
    """
    Moments over units of the number and the sum of their values, in two passes.

    Args:
        unit: Number of the unit of each value, from 0.
        values: Shape of *unit*.
    """
    number: Floats = np.bincount(unit).astype(np.float64)
    seen = number > 0
    if not seen.any():
        return UnitMoments()
    mean_x, x = _centred(number[seen])
    mean_y, y = _centred(np.bincount(unit, values).astype(np.float64)[seen])
    return UnitMoments(
        n=len(x),
        mean_x=mean_x,
        mean_y=_finite(mean_y),
        m2_x=_sum(x, x),
        m2_y=_finite(_sum(y, y)),
        co=_finite(_sum(x, y)),
    )


def joint(x: Floats, y: Floats) -> Joint:
    """Moments of at least one pair, in two passes."""
    mean_x, beyond_x = _centred(x)
    mean_y, beyond_y = _centred(y)
    return Joint(
        n=len(x),
        mean_x=_finite(mean_x),
        mean_y=_finite(mean_y),
        m2_x=_finite(_sum(beyond_x, beyond_x)),
        m2_y=_finite(_sum(beyond_y, beyond_y)),
        co=_finite(_sum(beyond_x, beyond_y)),
    )


def _part(columns: Columns) -> Truths:
    # Callers who take no part are all the champion's: beside a challenger they would bend the comparison.
    enrolled: Truths = columns.rows("enrolled")
    return enrolled if columns.split else np.ones(len(enrolled), np.bool_)


def _variant(columns: Columns, chosen: Truths, kpis: Table, task: Task, names: Names, ripe: Ripe) -> VariantMetrics:
    def column(name: str) -> NDArray[Any]:
        return columns.rows(name)[chosen]

    error, failed, enrolled = column("error"), column("failed"), column("enrolled")
    _, unit = np.unique(column("unit"), return_inverse=True)
    latency, score = column("latency")[column("timed")], column("score")
    values = _labelled(column("loss"), column("correct"), ripe.of(column("time")), task)
    outcomes = _outcomes(kpis[chosen[kpis["row"]]], np.cumsum(chosen) - 1, names)
    by_name = {name: (unit[place], value) for name, (place, value) in {**outcomes, **values}.items()}
    return VariantMetrics(
        version=list(names.codes)[column("version")[0]],
        assigned=int(enrolled.sum()),
        served=int(column("served").sum()),
        fallbacks=names.counts(error[~failed]),
        errors=_errors(error[failed], names),
        latency_ms=moments(latency),
        latency_quantiles=_quantiles(latency),
        score=moments(score[~np.isnan(score)]),
        loss=moments(values["loss"][1]),
        correct=moments(values["correct"][1]),
        outcomes={name: moments(value) for name, (_, value) in outcomes.items()},
        units={name: unit_moments(*found) for name, found in by_name.items() if len(found[1])},
        keys=int((np.bincount(unit[enrolled]) > 0).sum()),
        latencies=latency_histogram(latency),
        scores=score_histogram(score[~np.isnan(score)], task),
        joint=_joints(score, _label(column("label"), ripe.of(column("time")), task) | outcomes),
    )


def _label(labels: Floats, ripe: Truths, task: Task) -> dict[str, tuple[Places, Floats]]:
    if task == "multiclass":  # numbers of classes have no mean
        return {}
    place = np.flatnonzero(~np.isnan(labels) & ripe)
    return {"label": (place, labels[place])} if len(place) else {}


def _joints(score: Floats, found: dict[str, tuple[Places, Floats]]) -> dict[str, Joint]:
    pairs = {name: (score[place], value) for name, (place, value) in found.items()}
    return {name: joint(x[~np.isnan(x)], y[~np.isnan(x)]) for name, (x, y) in pairs.items() if not np.isnan(x).all()}


def _labelled(loss: Floats, correct: Truths, ripe: Truths, task: Task) -> dict[str, tuple[Places, Floats]]:
    """Places among the requests, and values."""
    place = np.flatnonzero(~np.isnan(loss) & ripe)
    known = place if task != "regression" else place[:0]
    return {"loss": (place, loss[place]), "correct": (known, correct[known].astype(np.float64))}


def _outcomes(kpis: Table, places: Places, names: Names) -> dict[str, tuple[Places, Floats]]:
    texts = list(names.codes)
    return {
        texts[metric]: (places[found["row"]], found["value"])
        for metric in np.unique(kpis["metric"]).tolist()
        for found in (kpis[kpis["metric"] == metric],)
    }


def _shadow(
    columns: Columns, chosen: Truths, seen: tuple[str, int], task: Task, names: Names, ripe: Ripe
) -> ShadowMetrics:
    def column(name: str) -> NDArray[Any]:
        return columns.copies(name)[chosen]

    dropped, scored, loss = column("dropped"), column("scored"), column("loss")
    pairs = scored & ~np.isnan(loss) & ripe.of(column("time"))
    _, unit = np.unique(column("unit")[pairs], return_inverse=True)
    loss, right = loss[pairs], column("right")[pairs] * (task != "regression")
    by_name = {"loss": loss} | ({"correct": right.astype(np.float64)} if task != "regression" else {})
    bare = ShadowMetrics(
        version=seen[0],
        copies=seen[1],
        scored=int(scored.sum()),
        dropped=names.counts(dropped),
        errors=_copy_errors(column("error")[dropped == NONE], int(scored.sum()), names),
        pending=max(0, seen[1] - len(scored)),
        flips=int((scored & column("flip")).sum()),
        flips_up=int((scored & column("up")).sum()),
        flips_down=int((scored & column("flip") & ~column("up")).sum()),
        pairs=len(loss),
        champion_only_right=int((right < 0).sum()),
        challenger_only_right=int((right > 0).sum()),
        loss_difference=moments(loss),
        units={name: unit_moments(unit, values) for name, values in by_name.items() if len(loss)},
    )
    numbers = {name: column(name)[scored] for name in ("score", "served", "latency", "served_latency")}
    return msgspec.structs.replace(bare, **_shadow_diff(numbers, task))


def _shadow_diff(numbers: dict[str, Floats], task: Task) -> dict[str, Any]:
    with np.errstate(over="ignore"):
        difference = numbers["score"] - numbers["served"]
    scores, served = (score_histogram(numbers[name], task) for name in ("score", "served"))
    latency, own = numbers["latency"], numbers["served_latency"][~np.isnan(numbers["served_latency"])]
    return {
        "latency_ms": moments(latency),
        "latency_quantiles": _quantiles(latency),
        "served_latency_ms": moments(own),
        "served_latency_quantiles": _quantiles(own),
        "difference": moments(difference),
        "difference_quantiles": {q: _finite(v) for q, v in _quantiles(difference, (1, 5, 50, 95, 99)).items()},
        "difference_most": _finite(float(np.abs(difference).max(initial=0.0))),
        "scores": scores,
        "served_scores": served,
        "psi": psi(served, scores),
        "ks": ks(served, scores),
    }


def _copy_errors(codes: NDArray[np.int32], scored: int, names: Names) -> dict[str, int]:
    incomparable = int((codes == NONE).sum()) - scored
    return names.counts(codes) | ({"incomparable": incomparable} if incomparable else {})


def _errors(codes: NDArray[np.int32], names: Names) -> dict[str, int]:
    nameless = int((codes == NONE).sum())
    return names.counts(codes) | ({"unknown": nameless} if nameless else {})


def _quantiles(values: Floats, percents: tuple[int, ...] = (50, 95, 99)) -> dict[str, float]:
    if not len(values):
        return {}
    ranks = {q: math.ceil(q / 100 * len(values)) - 1 for q in percents}
    ordered = np.partition(values, list(ranks.values()))
    return {f"p{q}": float(ordered[rank]) for q, rank in ranks.items()}


def _centred(values: Floats) -> tuple[float, Floats]:
    """Mean, and deviations from it; from the first value on, so that equal ones deviate by nothing at all."""
    with np.errstate(over="ignore", invalid="ignore"):
        beyond = values - values[0]
        mean = beyond.mean()
        return float(values[0] + mean), beyond - mean


def _sum(x: Floats, y: Floats) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float((x * y).sum())


def _finite(value: float) -> float:
    """JSON knows no infinity: what overflows is as large as a number can be."""
    if math.isnan(value):
        return _LARGEST
    return min(max(value, -_LARGEST), _LARGEST)
