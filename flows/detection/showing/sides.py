"""A feature on both sides, in few enough pieces to be drawn."""

from collections.abc import Iterable

import numpy as np

from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.univariate.ranks import Floats
from flows.detection.univariate.samples import Levels, Numbers
from flows.detection.univariate.tables import Columns
from flows.detection.univariate.types import kind_of, together
from flows.reports.drift.content import Distribution

BINS, LEVELS, PICTURES = 24, 40, 8
_TAIL = 0.005  # of the values on either end, which go into the outermost bins
_OTHERS = "all others"
_WHOLE = 10 * BINS  # a range of whole numbers beyond which they are as good as any


def sides(reference: ReferenceProfile | Columns, current: Columns, names: Iterable[str]) -> tuple[Distribution, ...]:
    """
    Prepare the first features that both sides have values of.

    Args:
        reference: A stored profile, or a table.
        current: The window.
        names: Most interesting first.
    """
    found: list[Distribution] = []
    for name in names:
        one = _side(reference, current, name)
        found += [one] if one is not None else []
        if len(found) == PICTURES:
            break
    return tuple(found)


def numeric_sides(name: str, was: Numbers, now: Numbers) -> Distribution | None:
    """
    Bins of equal width over nearly all values of both sides; None where a side has no values.

    Values beyond .5 % on either end are counted in the outermost bins, so that one absurd value hides nothing.
    """
    if not was.values.size or not now.values.size:
        return None
    ends = [_quantile(side.values, share) for side in (was, now) for share in (_TAIL, 1 - _TAIL)]
    low, high = min(ends), max(ends)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    whole = high - low < _WHOLE and all(np.array_equal(side.values, np.rint(side.values)) for side in (was, now))
    edges = _whole_edges(low, high) if whole else _even_edges(low, high)
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        return None
    shares = [_shares(side.values, edges) for side in (was, now)]
    return Distribution(name, tuple(edges.tolist()), (), shares[0], shares[1])


def _even_edges(low: float, high: float) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linspace(low, high, BINS + 1)


def _whole_edges(low: float, high: float) -> Floats:
    """As many whole numbers in each bin as in any other, so that none is empty for want of one."""
    first, last = np.floor(low), np.ceil(high)
    wide = np.ceil((last - first + 1) / BINS)
    count = int(np.ceil((last - first + 1) / wide))
    return np.asarray(first - 0.5 + wide * np.arange(count + 1), dtype=np.float64)


def level_sides(name: str, was: Levels, now: Levels) -> Distribution | None:
    """The most frequent levels of both sides, all others together; None where a side has no values."""
    if not was.n or not now.n:
        return None
    both = [_by_level(was), _by_level(now)]
    together = sorted({**both[0], **both[1]}, key=lambda level: (-both[0].get(level, 0) - both[1].get(level, 0), level))
    kept, more = together[:LEVELS], len(together) > LEVELS or was.rest + now.rest > 0
    shares = [tuple(side.get(level, 0.0) for level in kept) for side in both]
    if more:
        shares = [(*side, max(0.0, 1 - sum(side))) for side in shares]
    return Distribution(name, (), (*kept, _OTHERS) if more else tuple(kept), shares[0], shares[1])


def _side(reference: ReferenceProfile | Columns, current: Columns, name: str) -> Distribution | None:
    if name not in current.schema:
        return None
    if not isinstance(reference, ReferenceProfile):
        if name not in reference.schema:
            return None
        types = reference.schema[name], current.schema[name]
        kind = kind_of(*types)
        if together(*types, kind).error:
            return None
        if kind == "numeric":
            return numeric_sides(name, Numbers.of(reference.take(name)), Numbers.of(current.take(name)))
        return level_sides(name, Levels.of(reference.take(name)), Levels.of(current.take(name)))
    if name in reference.numeric:
        return numeric_sides(name, reference.numeric[name].sample(), Numbers.of(current.take(name)))
    if name in reference.categorical:
        return level_sides(name, reference.categorical[name].sample(), Levels.of(current.take(name)))
    return None


def _quantile(values: Floats, share: float) -> float:
    return float(values[min(values.size - 1, int(share * values.size))])


def _shares(values: Floats, edges: Floats) -> tuple[float, ...]:
    cuts = np.searchsorted(values, edges[1:-1], side="right")
    counts = np.diff(np.concatenate([[0], cuts, [values.size]]))
    return tuple((counts / values.size).tolist())


def _by_level(side: Levels) -> dict[str, float]:
    return dict(zip(side.counts["level"].to_list(), (side.counts["rows"] / side.n).to_list(), strict=True))
