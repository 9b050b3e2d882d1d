"""A metric that is a mean over the same rows."""

import math

import numpy as np
from numpy.typing import ArrayLike

from flows.stats.checks import finite, same_length, share
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald


def paired_mean(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Paired t test on a per-row gain, e.g. negative loss.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of challenger minus champion. Below two rows the interval is unbounded. If
        all differences are the same, p is that of the sign-flip permutation test, 2^(1-n).

    Raises:
        ValueError: If lengths differ, values are not finite, or confidence is out of range.

    Source:
        Student (1908), Biometrika 6:1-25; agrees with `scipy.stats.ttest_rel`.

    Example:
        >>> effect = paired_mean([-0.9, -0.4, -0.5, -0.7], [-0.6, -0.3, -0.5, -0.3])
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '0.20 [-0.0905, 0.4905] p = 0.1162'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    if n == 0:
        return undecided("paired t test", 0, "no rows")
    difference = b - a
    estimate = float(difference.mean())
    if n == 1:
        return undecided("paired t test", 1, "a single row", estimate)
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    if error == 0 or np.ptp(difference) == 0:  # equal, or too small for a variance
        return constant("paired t test", float(difference[0]), n, log_p=(1 - n) * math.log(2), confidence=confidence)
    return wald(estimate, error, n=n, method="paired t test", confidence=confidence, freedom=n - 1)
