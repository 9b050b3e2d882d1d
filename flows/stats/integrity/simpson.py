"""Simpson's paradox: does the pooled effect point where the effects within strata do?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats import checks
from flows.stats.moments import Moments
from flows.stats.results import Effect, probability
from flows.stats.tails import log_chi2
from flows.stats.wald import undecided, wald

Floats = NDArray[np.float64]
_WEIGHTS = {
    "size": "post-stratified",
    "mantel-haenszel": "Mantel-Haenszel",
    "inverse variance": "inverse variance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumEffect:
    """
    The effect within one stratum.

    Attributes:
        error: Standard error; infinite where an arm has fewer than two values.
        champions, challengers: Sizes of the arms.
    """

    stratum: str
    estimate: float
    error: float
    champions: int
    challengers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """
    Do the strata have different effects?

    Attributes:
        q, freedom: Cochran's Q and its degrees of freedom.
        p_value, log_p: Of Q.
        i2: Share of the variation between strata that is no chance (Higgins' I squared).
        gail_simon: Statistic of the test for effects of opposite sign; 0 if all agree.
        p_opposite, log_p_opposite: Its p-value: small if the challenger is better in one
            stratum and worse in another.
    """

    q: float
    freedom: int
    p_value: float
    log_p: float
    i2: float
    gail_simon: float
    p_opposite: float
    log_p_opposite: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpsonCheck:
    """
    Pooled against stratified effect.

    Attributes:
        pooled: Arms added up over the strata, as if there were none.
        stratified: Post-stratified: the effect if both arms had the strata's total sizes.
        reversal: Pooled and stratified effect have opposite signs.
        misleading: Reversal, or the pooled estimate lies outside the stratified interval.
        statement: The same with numbers.
    """

    pooled: Effect
    stratified: Effect
    strata: tuple[StratumEffect, ...]
    heterogeneity: Heterogeneity
    reversal: bool
    misleading: bool
    statement: str


def simpson_check(strata: Mapping[str, tuple[Moments, Moments]], *, confidence: float = 0.95) -> SimpsonCheck:
    """
    Compare the effect of the arms added up with the effect within strata.

    When weights change between ramp phases, the arms hold different mixtures of phases
    (or segments), and the pooled difference mixes effect and phase.

    Args:
        strata: Champion's and challenger's moments per phase or segment.
        confidence: Of the intervals.

    Raises:
        ValueError: If moments are impossible or confidence is out of range.

    Source:
        Simpson (1951); Miratrix, Sekhon, Yu (2013), JRSS B 75:369-396 (post-stratification).
        The example are the kidney stones of Charig et al. (1986), BMJ 292:879-882.

    Example:
        >>> def rate(won, n):
        ...     return Moments(n, won / n, won * (n - won) / n)
        >>> stones = {"small": (rate(234, 270), rate(81, 87)), "large": (rate(55, 80), rate(192, 263))}
        >>> print(simpson_check(stones).statement)
        pooled effect -0.04571, but within strata +0.05367 [-0.01286, +0.1202]: the pooled sign is reversed
    """
    given = _checked(strata)
    stratified = stratified_effect(strata, confidence=confidence)
    pooled = _pooled(given, confidence)
    reversal = pooled.estimate * stratified.estimate < 0
    outside = not stratified.low <= pooled.estimate <= stratified.high
    return SimpsonCheck(
        pooled=pooled,
        stratified=stratified,
        strata=tuple(_stratum(name, *arms) for name, arms in given.items()),
        heterogeneity=heterogeneity(strata),
        reversal=reversal,
        misleading=reversal or outside,
        statement=_statement(pooled, stratified, reversal, outside),
    )


def stratified_effect(
    strata: Mapping[str, tuple[Moments, Moments]], *, weights: str = "size", confidence: float = 0.95
) -> Effect:
    """
    Weighted mean of the effects within strata: honest when weights changed between phases.

    Args:
        strata: As of `simpson_check`.
        weights: "size": by the requests of both arms (post-stratification), the effect over
            all that were served. "mantel-haenszel": by the harmonic size of the arms.
            "inverse variance": the most precise, if all strata have the same effect.
        confidence: Of the interval.

    Returns:
        Strata without two values in each arm are left out and named in the note.

    Source:
        Miratrix, Sekhon, Yu (2013), eq. 3; Mantel and Haenszel (1959), for differences:
        Greenland and Robins (1985), Biometrics 41:55-68; degrees of freedom: Satterthwaite
        (1946). Inverse variance agrees with `statsmodels.stats.meta_analysis.combine_effects`.

    Example:
        >>> phases = {"10 %": (Moments(900, 5.0, 900.0), Moments(100, 5.2, 100.0)),
        ...           "50 %": (Moments(500, 6.0, 500.0), Moments(500, 6.2, 500.0))}
        >>> f"{stratified_effect(phases).estimate:.3f} and not {6.03333 - 5.35714:.3f}"
        '0.200 and not 0.676'
    """
    checks.share("confidence", confidence)
    method = f"stratified difference of means, {checks.choice('weights', weights, _WEIGHTS)}"
    given = _checked(strata)
    usable = {name: arms for name, arms in given.items() if min(arms[0].n, arms[1].n) > 1}
    note = _left_out(given, usable)
    n = min(sum(ours.n for ours, _ in usable.values()), sum(theirs.n for _, theirs in usable.values()))
    if not usable:
        return undecided(method, 0, note or "no strata")
    sizes = np.array([[arm.n for arm in arms] for arms in usable.values()], dtype=np.float64)
    parts = np.array([[arm.m2 / (arm.n - 1) / arm.n for arm in arms] for arms in usable.values()], dtype=np.float64)
    effects = np.array([theirs.mean - ours.mean for ours, theirs in usable.values()])
    shares = _shares(weights, sizes, parts.sum(axis=1))
    estimate = float(shares @ effects)
    if not parts.any():
        return undecided(method, n, "; ".join(part for part in ("no variance in any stratum", note) if part), estimate)
    scaled = shares[:, None] ** 2 * parts
    freedom = float(scaled.sum() ** 2 / np.sum(scaled**2 / (sizes - 1)))
    found = wald(estimate, math.sqrt(scaled.sum()), n=n, method=method, confidence=confidence, freedom=freedom)
    return _noted(found, note)


def heterogeneity(strata: Mapping[str, tuple[Moments, Moments]]) -> Heterogeneity:
    """
    Test whether strata have different effects, and whether their signs differ.

    Args:
        strata: As of `simpson_check`; those without variance are left out.

    Source:
        Cochran (1954); Higgins and Thompson (2002); Gail and Simon (1985), Biometrics
        41:361-372, p-value as in SAS `FREQ / GAILSIMON`.

    Example:
        >>> def arm(mean, error):
        ...     return Moments(1001, mean, error**2 / 2 * 1001 * 1000)
        >>> nsabp = ((-0.163, 0.0788), (0.114, 0.0689), (0.047, 0.0614), (0.151, 0.0547))
        >>> trial = {f"stratum {i}": (arm(0, e), arm(d, e)) for i, (d, e) in enumerate(nsabp)}
        >>> found = heterogeneity(trial)
        >>> f"{found.gail_simon:.2f} p = {found.p_opposite:.4f}"
        '4.28 p = 0.0877'
    """
    found = [_stratum(name, *arms) for name, arms in _checked(strata).items()]
    usable = [one for one in found if 0 < one.error < math.inf]
    z2 = np.array([(one.estimate / one.error) ** 2 for one in usable])
    opposite = min(
        float(z2[[one.estimate > 0 for one in usable]].sum()), float(z2[[one.estimate < 0 for one in usable]].sum())
    )
    freedom = max(0, len(usable) - 1)
    q = _cochran_q(usable)
    log_p = log_chi2(q, freedom) if freedom else 0.0
    log_p_opposite = _log_gail_simon(opposite, freedom)
    return Heterogeneity(
        q=q,
        freedom=freedom,
        p_value=probability(log_p),
        log_p=log_p,
        i2=max(0.0, 1 - freedom / q) if q > 0 else 0.0,
        gail_simon=opposite,
        p_opposite=probability(log_p_opposite),
        log_p_opposite=log_p_opposite,
    )


def _cochran_q(strata: list[StratumEffect]) -> float:
    if len(strata) < 2:
        return 0.0
    effects, precision = np.array([one.estimate for one in strata]), np.array([one.error**-2 for one in strata])
    common = precision @ effects / precision.sum()
    return float(precision @ (effects - common) ** 2)


def _log_gail_simon(statistic: float, freedom: int) -> float:
    if statistic == 0 or freedom < 1:
        return 0.0
    h = np.arange(1, freedom + 1)
    log_choose = special.gammaln(freedom + 1) - special.gammaln(h + 1) - special.gammaln(freedom - h + 1)
    tails = np.array([log_chi2(statistic, float(k)) for k in h])
    return float(np.logaddexp.reduce(log_choose - freedom * math.log(2) + tails))


def _shares(weights: str, sizes: Floats, variances: Floats) -> Floats:
    if weights == "size":
        raw = sizes.sum(axis=1)
    elif weights == "mantel-haenszel":
        raw = sizes.prod(axis=1) / sizes.sum(axis=1)
    else:
        # A stratum without variance would get all the weight: it is taken to be as uncertain as the surest other.
        raw = 1 / np.where(variances > 0, variances, np.min(variances[variances > 0], initial=1.0))
    return np.asarray(raw / raw.sum())


def _pooled(strata: Mapping[str, tuple[Moments, Moments]], confidence: float) -> Effect:
    champion, challenger = Moments.empty(), Moments.empty()
    for ours, theirs in strata.values():
        champion, challenger = champion.merge(ours), challenger.merge(theirs)
    pooled = stratified_effect({"all": (champion, challenger)}, confidence=confidence)
    return _noted(pooled, "", method="difference of means, strata pooled")


def _noted(found: Effect, note: str, *, method: str = "") -> Effect:
    return Effect(
        method=method or found.method,
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        log_p=found.log_p,
        n=found.n,
        note="; ".join(part for part in (found.note, note) if part),
    )


def _stratum(name: str, ours: Moments, theirs: Moments) -> StratumEffect:
    enough = min(ours.n, theirs.n) > 1
    error = math.sqrt(ours.m2 / (ours.n - 1) / ours.n + theirs.m2 / (theirs.n - 1) / theirs.n) if enough else math.inf
    estimate = theirs.mean - ours.mean if min(ours.n, theirs.n) else 0.0
    return StratumEffect(stratum=name, estimate=estimate, error=error, champions=ours.n, challengers=theirs.n)


def _checked(strata: Mapping[str, tuple[Moments, Moments]]) -> dict[str, tuple[Moments, Moments]]:
    return {
        name: (checks.numbers(f"the champion in {name}", ours), checks.numbers(f"the challenger in {name}", theirs))
        for name, (ours, theirs) in strata.items()
    }


def _left_out(given: Mapping[str, tuple[Moments, Moments]], usable: Mapping[str, tuple[Moments, Moments]]) -> str:
    missing = {name: ours.n + theirs.n for name, (ours, theirs) in given.items() if name not in usable}
    total = sum(ours.n + theirs.n for ours, theirs in given.values())
    if not missing:
        return ""
    return (
        f"left out, fewer than two values in an arm: {', '.join(missing)} ({sum(missing.values())} of {total} values)"
    )


def _statement(pooled: Effect, stratified: Effect, reversal: bool, outside: bool) -> str:
    within = f"within strata {stratified.estimate:+.4g} [{stratified.low:+.4g}, {stratified.high:+.4g}]"
    if reversal:
        return f"pooled effect {pooled.estimate:+.4g}, but {within}: the pooled sign is reversed"
    if outside:
        return f"pooled effect {pooled.estimate:+.4g} lies outside that {within}: use the latter"
    return f"pooled effect {pooled.estimate:+.4g} agrees with that {within}"
