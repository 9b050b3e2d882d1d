"""By how many per cent is a share larger? Also where successes are few, and Fieller's interval is unbounded."""

import math
from collections.abc import Callable
from typing import Literal

from scipy import special

from flows.stats.checks import choice, share
from flows.stats.results import Effect, probability
from flows.stats.tails import log_two_sided_z
from flows.stats.unpaired.proportions import Share, checked_share
from flows.stats.wald import undecided

Ratio = Literal["koopman", "miettinen-nurminen", "katz"]

_RATIOS = {"koopman": "Koopman score", "miettinen-nurminen": "Miettinen-Nurminen score", "katz": "Katz log"}
_FAR = 400.0


def share_lift(champion: Share, challenger: Share, *, method: Ratio = "koopman", confidence: float = 0.95) -> Effect:
    """
    Relative difference of two shares: challenger / champion - 1 (relative risk less one).

    Args:
        champion, challenger: (successes, n); of different callers.
        method: Score test and interval, which hold from a single success on; the same with the
            variance factor n / (n - 1); or the normal approximation of the log ratio.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        0.05 means 5 % more. Without a success of the champion the estimate and the upper limit
        are infinite.

    Raises:
        ValueError: If counts are impossible, or the method is unknown.

    Source:
        Koopman (1984), Biometrics 40:513-517; Miettinen and Nurminen (1985); Katz et al.
        (1978), Biometrics 34:469-474. Agrees with R `PropCIs::riskscoreci`, whose interval of
        the ratio is 1.220853 to 42.575718 here.

    Example:
        >>> effect = share_lift((1, 34), (7, 34))
        >>> f"{effect.estimate:.1f} [{effect.low:.6f}, {effect.high:.6f}] p = {effect.p_value:.4f}"
        '6.0 [0.220853, 41.575718] p = 0.0239'
    """
    name = f"{choice('method', method, _RATIOS)} test and interval of the ratio"
    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    if min(n1, n2) < 1 or x1 + x2 == 0:
        return undecided(name, min(n1, n2), "an empty group" if min(n1, n2) < 1 else "no success in either group")
    more = (n1 + n2) / (n1 + n2 - 1) if method == "miettinen-nurminen" else 1.0
    limit = float(special.ndtri((1 + confidence) / 2))
    log_ratio = math.log(x2 * n1) - math.log(x1 * n2) if x1 and x2 else math.inf * (1 if x2 else -1)
    spread = math.sqrt(max(0.0, 1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)) if x1 and x2 else math.inf
    if method == "katz" and (math.isinf(spread) or spread == 0):
        return undecided(name, min(n1, n2), "no variance of the log ratio", math.expm1(log_ratio))
    if method == "katz":
        z, low, high = log_ratio / spread, log_ratio - limit * spread, log_ratio + limit * spread
    else:
        score = _score(x1, n1, x2, n2, more)
        z = score(0.0)
        low = -math.inf if x2 == 0 else _root(lambda log: score(log) - limit, log_ratio, -1)
        high = math.inf if x1 == 0 else _root(lambda log: score(log) + limit, log_ratio, 1)
    log_p = log_two_sided_z(z)
    return Effect(
        method=name,
        estimate=math.expm1(log_ratio),
        low=math.expm1(low),
        high=math.expm1(high),
        p_value=probability(log_p),
        log_p=log_p,
        n=min(n1, n2),
        note="" if x1 else "no success of the champion: the lift has no upper limit",
    )


def _score(x1: int, n1: int, x2: int, n2: int, more: float) -> Callable[[float], float]:
    """Z of a log ratio: falls from above 0 below the estimate to below 0 above it."""

    def z(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        a, c = (n1 + n2) * ratio, x1 + x2
        b = n2 * ratio + x2 + n1 + x1 * ratio
        base = min(2 * c / (b + math.sqrt(max(0.0, b * b - 4 * a * c))), 1.0, 1 / ratio)
        variance = ratio * base * max(0.0, 1 - ratio * base) / n2 + ratio * ratio * base * (1 - base) / n1
        off = x2 / n2 - ratio * x1 / n1
        return off / math.sqrt(more * variance) if variance > 0 else math.copysign(math.inf, off) if off else 0.0

    return z


def _root(beyond: Callable[[float], float], estimate: float, side: int) -> float:
    from scipy.optimize import brentq

    near = estimate if math.isfinite(estimate) else -side * _FAR / 4
    step = 1.0
    while beyond(near + side * step) * side > 0 and step < _FAR:
        step *= 2
    far = near + side * min(step, _FAR)
    if beyond(far) * side > 0:
        return side * math.inf
    return float(brentq(beyond, min(near, far), max(near, far), xtol=1e-14))
