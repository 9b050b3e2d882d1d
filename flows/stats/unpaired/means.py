"""Means over different callers."""

import math

from scipy import special

from flows.stats.checks import numbers, share
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

_METHOD = "Welch t test"


def welch(
    champion: tuple[int, float, float], challenger: tuple[int, float, float], *, confidence: float = 0.95
) -> Effect:
    """
    Welch's t test from sufficient statistics.

    Args:
        champion, challenger: (n, mean, m2), m2 the sum of squared deviations.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of means; unbounded below two values in a group. Without variance in
        either group p is that of a permutation of the callers, 2 / C(n1 + n2, n1). One
        look only.

    Source:
        Welch (1947), Biometrika 34:28-35; agrees with `scipy.stats.ttest_ind_from_stats`.

    Example:
        >>> effect = welch((10, 1.0, 9.0), (12, 2.0, 11.0))
        >>> f"{effect.estimate:.1f} p = {effect.p_value:.4f}"
        '1.0 p = 0.0305'
    """
    share("confidence", confidence)
    (n1, mean1, m1), (n2, mean2, m2) = numbers("champion", champion), numbers("challenger", challenger)
    estimate, n = mean2 - mean1, min(n1, n2)
    if n < 2:
        return undecided(_METHOD, n, "fewer than two values in a group", estimate if n else 0.0)
    v1, v2 = m1 / (n1 - 1) / n1, m2 / (n2 - 1) / n2
    if v1 + v2 == 0:
        ways = special.gammaln(n1 + n2 + 1) - special.gammaln(n1 + 1) - special.gammaln(n2 + 1)
        return constant(_METHOD, estimate, n, log_p=min(0.0, math.log(2) - float(ways)), confidence=confidence)
    freedom = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    return wald(estimate, math.sqrt(v1 + v2), n=n, method=_METHOD, confidence=confidence, freedom=freedom)
