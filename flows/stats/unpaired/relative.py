"""Relative lift: by how many per cent is the challenger better?"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from flows.stats.checks import Sample, choice, numbers, share
from flows.stats.moments import Moments
from flows.stats.results import Effect
from flows.stats.unpaired.formulae import (
    COMPLEMENT,
    FINE,
    NO_BASE,
    Floats,
    RatioSet,
    Samples,
    Tested,
    difference,
    lift,
    satterthwaite,
    single,
    t_quantile,
)
from flows.stats.unpaired.formulae import fieller as fieller_sets
from flows.stats.unpaired.means import effect_of, welch
from flows.stats.wald import undecided

Interval = Literal["fieller", "log"]

_METHOD = "log-ratio t test, Fieller interval"
_INTERVALS = {"fieller": "Fieller", "log": "log ratio"}
_FAR = 700.0


def relative_lift(
    champion: Sample, challenger: Sample, *, confidence: float = 0.95, interval: Interval = "fieller"
) -> Effect:
    """
    Relative difference of two means: challenger / champion - 1.

    Test and interval rest on different approximations and may disagree when p is close
    to 1 - confidence; neither is then worth a bet.

    Args:
        champion, challenger: (n, mean, m2), m2 the sum of squared deviations; or an array
            of the values themselves.
        confidence: Two-sided coverage, strictly between 0 and 1.
        interval: "fieller", or "log": that of the log ratio, which agrees with the test and
            with `tea_tasting`; where a mean is not positive or Fieller's is unbounded, the
            latter is given all the same.

    Returns:
        0.05 means 5 % more. A champion's mean below 0 is taken by its size, so that more
        is better: from -2 to -1 is +50 %. Where the champion's mean may be 0 the
        interval is unbounded, the p-value is Welch's, and the note says so. A mean of
        exactly 0 has no relative lift: it is infinite, with Welch's p-value. One look only.

    Raises:
        ValueError: If a number cannot be one of a sample's.

    Source:
        Test: standard error of the log ratio, sqrt(vT / mT^2 + vC / mC^2), with Welch's
        degrees of freedom. Interval: Fieller (1954), J. R. Stat. Soc. B 16:175-185, with
        Student's quantile at the degrees of freedom of mT - (mT / mC) mC.

    Example:
        >>> effect = relative_lift((1000, 2.0, 999.0), (1000, 2.2, 999.0))
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.2e}"
        '0.10 [0.0549, 0.1472] p = 8.64e-06'
    """
    share("confidence", confidence)
    choice("interval", interval, _INTERVALS)
    ours, theirs = numbers("champion", champion), numbers("challenger", challenger)
    n = min(ours.n, theirs.n)
    if n < 2:
        estimate = (theirs.mean - ours.mean) / abs(ours.mean) if n and ours.mean else 0.0
        return undecided(_METHOD, n, "fewer than two values in a group", estimate)
    if ours.m2 == theirs.m2 == 0:
        return _constant(ours, theirs, confidence)
    one, other = single(ours), single(theirs)
    tested, ratios = lift(
        other.mean,
        other.squared_error,
        one.mean,
        one.squared_error,
        np.zeros(1),
        ratio_freedom(other.mean, other.squared_error, other.n, one.mean, one.squared_error, one.n),
        confidence,
        difference(one, other, confidence).log_p,
    )
    found = lift_effect(tested, ratios, method=_METHOD, n=n, base=ours.mean)
    if interval == "log" and int(tested.state[0]) == FINE and min(ours.mean, theirs.mean) > 0:
        return _by_log(found, one, other, confidence)
    return found


def fieller(champion: Sample, challenger: Sample, *, confidence: float = 0.95) -> tuple[float, float, str]:
    """
    All ratios challenger / champion that the data do not contradict.

    Args:
        champion, challenger: (n, mean, m2) or an array, two values or more each.

    Returns:
        Low, high, and what they mean: "bounded": from low to high; "complement": all but
        what lies strictly between low and high; "unbounded": every ratio.

    Raises:
        ValueError: If a group has fewer than two values.

    Source:
        As `relative_lift`.

    Example:
        >>> low, high, kind = fieller((100, 0.1, 99.0), (100, 2.0, 99.0))
        >>> f"all but {low:.2f} to {high:.2f}, {kind}"
        'all but -20.27 to 6.65, complement'
    """
    share("confidence", confidence)
    ours, theirs = numbers("champion", champion), numbers("challenger", challenger)
    if min(ours.n, theirs.n) < 2:
        raise ValueError(f"groups have {ours.n} and {theirs.n} values; both need two")
    one, other = single(ours), single(theirs)
    freedom = ratio_freedom(other.mean, other.squared_error, other.n, one.mean, one.squared_error, one.n)
    quantile = t_quantile(freedom, (1 + confidence) / 2)
    found = fieller_sets(other.mean, other.squared_error, one.mean, one.squared_error, np.zeros(1), quantile)
    kinds = {FINE: "bounded", COMPLEMENT: "complement"}
    return float(found.low[0]), float(found.high[0]), kinds.get(int(found.state[0]), "unbounded")


def ratio_freedom(
    over: Floats, v_over: Floats, n_over: Floats, under: Floats, v_under: Floats, n_under: Floats
) -> Floats:
    """Welch's degrees of freedom of over - ratio * under at the estimated ratio."""
    unit = np.maximum(np.abs(over), np.abs(under))
    unit = np.where(unit > 0, unit, 1.0)
    a, b = over / unit, under / unit
    none = (a == 0) & (b == 0)
    return satterthwaite(
        np.where(none, v_over, v_over * b * b), n_over, np.where(none, v_under, v_under * a * a), n_under
    )


def lift_effect(tested: Tested, ratios: RatioSet, *, method: str, n: int, base: float) -> Effect:
    """One lift, with words for what is unusual in it."""
    state = int(tested.state[0])
    said = []
    if state == NO_BASE:
        said.append("the champion's mean is 0: no relative lift; p of the difference")
    elif state != FINE:
        said.append("unbounded, as the champion's mean may be 0; p of the difference")
    if state == COMPLEMENT:
        low, high = sorted((ratios.low[0] - 1) * np.sign(base) for ratios in (ratios, ratios._replace(low=ratios.high)))
        said.append(f"only lifts between {low:.4g} and {high:.4g} are excluded")
    if base < 0:
        said.append("the champion's mean is negative: relative to its size")
    if state == FINE and tested.estimate[0] <= -1:
        said.append("the means differ in sign: p of the difference")
    return effect_of(tested, method=method, n=n, note="; ".join(said))


def _by_log(found: Effect, one: Samples, other: Samples, confidence: float) -> Effect:
    """The same lift with the interval of its logarithm."""
    freedom = ratio_freedom(other.mean, other.squared_error, other.n, one.mean, one.squared_error, one.n)
    spread = np.sqrt(other.squared_error / other.mean**2 + one.squared_error / one.mean**2)
    half = float((t_quantile(freedom, (1 + confidence) / 2) * spread)[0])
    middle = math.log(float(other.mean[0])) - math.log(float(one.mean[0]))
    low, high = math.expm1(middle - half), math.expm1(min(middle + half, _FAR))
    return replace(found, method="log-ratio t test and interval", low=low, high=high)


def _constant(ours: Moments, theirs: Moments, confidence: float) -> Effect:
    flat = welch(ours, theirs, confidence=confidence)
    if ours.mean == 0:
        lifted = math.copysign(math.inf, theirs.mean) if theirs.mean else 0.0
        note = "the champion's mean is 0: no relative lift; no variance: p of a permutation test"
        return _with(flat, lifted, -math.inf, math.inf, note)
    size = abs(ours.mean)
    return _with(flat, flat.estimate / size, flat.low / size, flat.high / size, flat.note)


def _with(effect: Effect, estimate: float, low: float, high: float, note: str) -> Effect:
    return Effect(
        method=_METHOD,
        estimate=estimate,
        low=low,
        high=high,
        p_value=effect.p_value,
        log_p=effect.log_p,
        n=effect.n,
        note=note,
    )
