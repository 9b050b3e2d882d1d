"""Two numeric samples of one column become `ColumnStatistics`."""

import math

import msgspec
import numpy as np

from flows.detection.univariate.bins import Binning, counted, edges, jensen_shannon, psi
from flows.detection.univariate.ranks import Floats, clipped, fences, held_sd, ks, spread, wasserstein
from flows.detection.univariate.samples import Numbers, moments
from flows.detection.univariate.sketch import Apart, sketched_area, sketched_counts, sketched_ks
from flows.detection.univariate.statistics import ColumnStatistics

SIGMAS = 3.0
ASIDE = 0.01


def numeric_statistics(name: str, was: Numbers, now: Numbers, binning: Binning = "quantile") -> ColumnStatistics:
    """Measure all that two samples allow; `error` says what they do not."""
    seen = ColumnStatistics(
        name=name,
        kind="numeric",
        n=now.n,
        reference_n=was.n,
        missing=now.missing,
        reference_missing=was.missing,
        infinite=now.infinite,
        foreign=now.foreign,
        error=_nothing(was, now),
    )
    seen = msgspec.structs.replace(seen, **_ranges(was, now))
    return seen if seen.error else msgspec.structs.replace(seen, **_distances(was, now, binning))


def outlier_limits(reference: Numbers) -> tuple[float, float]:
    """Mean less and plus 3 standard deviations, values beyond the fences clipped."""
    held = clipped(reference.values, *fences(reference.values))
    mean, sd = (reference.mean, reference.sd) if held is reference.values else moments(held)
    return mean - SIGMAS * sd, mean + SIGMAS * sd


def outside(values: Floats, low: float, high: float) -> float:
    """Share of sorted values below *low* or above *high*."""
    inside = values.searchsorted(high, "right") - values.searchsorted(low, "left")
    return 1 - float(inside) / values.size


def _nothing(was: Numbers, now: Numbers) -> str:
    parts = [
        f"{where} has no numbers{_what(side)}"
        for where, side in (("the reference", was), ("the window", now))
        if side.n == 0
    ]
    return "; ".join(parts)


def _what(side: Numbers) -> str:
    if side.missing == 0:
        return ": it has no rows"
    null = side.missing - side.infinite - side.foreign
    kinds = ((null, "missing"), (side.infinite, "infinite"), (side.foreign, "no numbers"))
    return f": of {side.missing} rows " + ", ".join(f"{count} are {kind}" for count, kind in kinds if count)


def _ranges(was: Numbers, now: Numbers) -> dict[str, float]:
    found: dict[str, float] = {}
    for prefix, side in (("reference_", was), ("", now)):
        if side.n:
            found |= {f"{prefix}mean": side.mean, f"{prefix}sd": side.sd}
            found |= {f"{prefix}low": float(side.values[0]), f"{prefix}high": float(side.values[-1])}
    return found


def _distances(was: Numbers, now: Numbers, binning: Binning) -> dict[str, float | int | None]:
    cuts, sketched = edges(was.values, binning), was.n > was.values.size
    ours = sketched_counts(was.values, cuts, was.n) if sketched else counted(was.values, cuts)
    theirs = counted(now.values, cuts)
    d, p = sketched_ks(was.values, now.values, was.n) if sketched else ks(was.values, now.values)
    apart = sketched_area(was.values, now.values, ASIDE) if sketched else _area(was.values, now.values)
    low, high = outlier_limits(was)
    return {
        "ks": d,
        "ks_p": p,
        "bins": int(np.count_nonzero(ours + theirs)),
        "psi": psi(ours, theirs),
        "jensen_shannon": jensen_shannon(ours, theirs),
        "outliers": outside(now.values, low, high),
        "reference_outliers": outside(was.values, low, high),
        "outside": outside(now.values, float(was.values[0]), float(was.values[-1])),
        **{name: _known(value) for name, value in apart._asdict().items()},
    }


def _known(value: float | None) -> float | None:
    """Nothing where the greatest numbers overflow."""
    return value if value is not None and math.isfinite(value) else None


def _area(was: Floats, now: Floats) -> Apart:
    whole, inner = wasserstein(was, now, aside=ASIDE)
    limits, unit, held = fences(was), spread(was), held_sd(was, ASIDE)
    ours, theirs = clipped(was, *limits), clipped(now, *limits)
    bounded = whole if ours is was and theirs is now else wasserstein(ours, theirs)[0]
    return Apart(whole, bounded / unit if unit else None, inner / held if held else None)
