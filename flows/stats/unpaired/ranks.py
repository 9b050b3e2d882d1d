"""Ranks and quantiles over different callers, for values with tails such as latency."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from flows.stats.checks import finite, same_length, share
from flows.stats.moments import CoMoments
from flows.stats.results import Effect, probability
from flows.stats.tails import log_two_sided_z
from flows.stats.unpaired.ratios import ratio_difference, ratio_moments
from flows.stats.wald import undecided, wald

_RANKS = "Mann-Whitney test"
_BAND = 1.959963984540054
_EXACT = 8
_EDGE = 1e-12

Floats = NDArray[np.float64]


class _Quantile(NamedTuple):
    value: float
    error: float
    n: int
    note: str = ""


def mann_whitney(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Does a value of the challenger tend to be larger than one of the champion?

    It does not compare means: a challenger with a worse tail may well win. For keys with
    several requests give one value per key.

    Args:
        champion, challenger: Shapes (n,) and (m,), one value per key.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        P(challenger > champion) + P(equal) / 2 - 1/2, from -0.5 to 0.5: the AUC less a
        half. p is exact for up to eight values in a group without ties, else from the
        normal approximation with ties and continuity corrected.

    Raises:
        ValueError: If a value is NaN or infinite.

    Source:
        p: `scipy.stats.mannwhitneyu`. Interval: DeLong et al. (1988), Biometrics
        44:837-845, on the logit scale; where an arm gives no variance, Newcombe (2006),
        Stat. Med. 25:559-573, method 5.

    Example:
        >>> effect = mann_whitney([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0])
        >>> f"{effect.estimate} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.6f}"
        '0.5 [0.0823, 0.5000] p = 0.028571'
    """
    share("confidence", confidence)
    ours, theirs = finite("champion", champion), finite("challenger", challenger)
    n1, n2 = ours.size, theirs.size
    if min(n1, n2) == 0:
        return undecided(_RANKS, 0, "an empty group")
    shared, high, low = _placements(ours, theirs)
    area = float(high.mean())
    log_p = _log_mann_whitney(ours, theirs, area * n1 * n2, shared)
    variance = float(high.var(ddof=1)) / n2 + float(low.var(ddof=1)) / n1 if min(n1, n2) > 1 else 0.0
    limit = float(special.ndtri((1 + confidence) / 2))
    ends = _logit_ends(area, variance, limit) if 0 < area < 1 and variance > 0 else _newcombe_ends(area, n1, n2, limit)
    return Effect(
        method=_RANKS,
        estimate=area - 0.5,
        low=ends[0] - 0.5,
        high=ends[1] - 0.5,
        p_value=probability(log_p),
        log_p=log_p,
        n=min(n1, n2),
        note=_rank_note(area, np.ptp(np.concatenate([ours, theirs])) == 0),
    )


def quantile_difference(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    q: float,
    champion_keys: ArrayLike | None = None,
    challenger_keys: ArrayLike | None = None,
    lower_is_better: bool = False,
    confidence: float = 0.95,
) -> Effect:
    """
    Difference of two quantiles, e.g. of the 95th percentile of latency.

    Args:
        champion, challenger: Shapes (n,) and (m,), one value per request.
        q: Which quantile, strictly between 0 and 1.
        champion_keys, challenger_keys: Who made each request; empty if nobody made two.
        lower_is_better: Give champion minus challenger, so that more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        n counts keys, or values where there are no keys. Unbounded where there are too few
        values beyond the quantile. Where values are tied around both quantiles there is no
        interval, and p is that of the shares above their common quantile.

    Raises:
        ValueError: If a value is NaN or infinite, q is out of range or keys do not match.

    Source:
        Deng, Knoblich, Lu (2018), KDD, section 4.2: variance of the share below, by key
        with the delta method, or q (1 - q) / n without keys; the density from the order
        statistics at its limits, as of medians in Price and Bonett (2002), J. Stat.
        Comput. Simul. 72:119-124.

    Example:
        >>> fast, slow = np.arange(1.0, 1001.0), np.arange(1.0, 1001.0) + 20
        >>> effect = quantile_difference(fast, slow, q=0.5)
        >>> f"{effect.estimate:.0f} [{effect.low:.1f}, {effect.high:.1f}] p = {effect.p_value:.3f}"
        '20 [-23.8, 63.8] p = 0.371'
    """
    share("confidence", confidence)
    share("q", q)
    ours, our_keys = _grouped("champion", champion, champion_keys)
    theirs, their_keys = _grouped("challenger", challenger, challenger_keys)
    method = f"difference of quantiles {q:g}{', by key' if champion_keys is not None else ''}"
    one, other = _quantile(ours, our_keys, q), _quantile(theirs, their_keys, q)
    sign, n = -1.0 if lower_is_better else 1.0, min(one.n, other.n)
    note = one.note or other.note
    if note:
        return undecided(method, n, note, sign * (other.value - one.value) if n else 0.0)
    estimate, error = sign * (other.value - one.value), math.hypot(one.error, other.error)
    if error == 0:
        return _tied(method, n, estimate, (ours, our_keys), (theirs, their_keys), q)
    return wald(estimate, error, n=n, method=method, confidence=confidence)


def _placements(ours: Floats, theirs: Floats) -> tuple[Floats, Floats, Floats]:
    """Ranks of all, and the share of the other arm's values below each of theirs and above each of ours."""
    from scipy.stats import rankdata

    n1, n2 = ours.size, theirs.size
    ranks = rankdata(np.concatenate([ours, theirs]))
    above = (ranks[n1:] - rankdata(theirs)) / n1
    below = (ranks[:n1] - rankdata(ours)) / n2
    return ranks, above, 1 - below


def _log_mann_whitney(ours: Floats, theirs: Floats, u: float, ranks: Floats) -> float:
    n1, n2 = ours.size, theirs.size
    _, ties = np.unique(ranks, return_counts=True)
    if min(n1, n2) <= _EXACT and ties.max() == 1:
        from scipy.stats import mannwhitneyu

        return math.log(min(1.0, float(mannwhitneyu(theirs, ours, method="exact").pvalue)))
    n = n1 + n2
    spread = n1 * n2 / 12 * ((n + 1) - float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (n * (n - 1)))
    off = max(abs(u - n1 * n2 / 2) - 0.5, 0.0)
    return log_two_sided_z(off / math.sqrt(spread)) if off > 0 and spread > 0 else 0.0


def _logit_ends(area: float, variance: float, limit: float) -> tuple[float, float]:
    half = limit * math.sqrt(variance) / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return float(special.expit(middle - half)), float(special.expit(middle + half))


def _newcombe_ends(area: float, n1: int, n2: int, limit: float) -> tuple[float, float]:
    from scipy import optimize

    size = (n1 + n2) / 2 - 1

    def beyond(true: float) -> float:
        variance = true * (1 - true) * (1 + size * ((1 - true) / (2 - true) + true / (1 + true))) / n1 / n2
        return (area - true) ** 2 - limit**2 * variance

    low = float(optimize.brentq(beyond, 0.0, min(area, 1 - _EDGE), xtol=_EDGE)) if area > 0 else 0.0
    high = float(optimize.brentq(beyond, max(area, _EDGE), 1.0, xtol=_EDGE)) if area < 1 else 1.0
    return low, high


def _rank_note(area: float, same: bool) -> str:
    if same:
        return "all values are the same"
    return "the groups do not overlap" if area in (0.0, 1.0) else ""


def _grouped(name: str, values: ArrayLike, keys: ArrayLike | None) -> tuple[Floats, NDArray[np.intp] | None]:
    array = finite(name, values)
    if keys is None:
        return array, None
    codes = np.unique(np.asarray(keys), return_inverse=True)[1].ravel()
    same_length(**{name: array, f"{name}_keys": codes.astype(np.float64)})
    return array, codes


def _by_key(hits: NDArray[np.bool_], codes: NDArray[np.intp] | None) -> CoMoments:
    """Requests and hits per key."""
    if codes is None:
        return CoMoments.of(np.ones(hits.size), hits.astype(np.float64))
    return CoMoments.of(np.bincount(codes), np.bincount(codes, weights=hits))


def _quantile(values: Floats, codes: NDArray[np.intp] | None, q: float) -> _Quantile:
    n = values.size
    if n < 2:
        return _Quantile(float(values[0]) if n else 0.0, 0.0, n, "fewer than two values in a group")
    ordered = np.sort(values)
    value = float(np.quantile(ordered, q))
    units = n if codes is None else int(codes.max()) + 1
    if units < 2:
        return _Quantile(value, 0.0, units, "fewer than two keys in a group")
    error = math.sqrt(q * (1 - q) / n) if codes is None else ratio_moments(_by_key(values <= value, codes)).error
    first, last = math.floor(n * (q - _BAND * error)), math.ceil(n * (q + _BAND * error))
    if first < 1 or last > n:
        return _Quantile(value, 0.0, units, f"too few values beyond the quantile {q:g}")
    last = max(last, first + 1)
    slope = float(ordered[last - 1] - ordered[first - 1]) * n / (last - first)
    return _Quantile(value, slope * error, units)


def _tied(
    method: str,
    n: int,
    estimate: float,
    ours: tuple[Floats, NDArray[np.intp] | None],
    theirs: tuple[Floats, NDArray[np.intp] | None],
    q: float,
) -> Effect:
    """Equal values around both quantiles: nothing tells how far a quantile could move."""
    if estimate == 0:
        return undecided(method, n, "values are tied around both quantiles, which are equal")
    common = float(np.quantile(np.concatenate([ours[0], theirs[0]]), q))
    shares = ratio_difference(*(_by_key(values > common, codes) for values, codes in (ours, theirs)))
    return Effect(
        method=method,
        estimate=estimate,
        low=-math.inf,
        high=math.inf,
        p_value=shares.p_value,
        log_p=shares.log_p,
        n=n,
        note="values are tied around both quantiles: no interval; p of the shares above the common quantile",
    )
