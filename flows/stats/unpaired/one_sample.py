"""Intervals of one model alone: a share, a mean."""

import math
from typing import Literal

from scipy import special

from flows.stats.checks import Sample, choice, counts, numbers, share

ShareMethod = Literal["wilson", "clopper-pearson", "agresti-coull", "jeffreys", "mid-p", "wald"]

_SHARES = {
    "wilson": "wilson",
    "clopper-pearson": "beta",
    "agresti-coull": "agresti_coull",
    "jeffreys": "jeffreys",
    "mid-p": "mid-p",
    "wald": "normal",
}


def share_interval(
    successes: int, n: int, *, method: ShareMethod = "wilson", confidence: float = 0.95
) -> tuple[float, float]:
    """
    Interval of one share, e.g. of an accuracy or an error rate.

    Args:
        successes, n: Of n rows; n above 0.
        method: "wilson" covers about as often as it says; "clopper-pearson" (exact) at least
            so often; "wald" only for comparison with others.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Low and high, within [0, 1].

    Raises:
        ValueError: If there is no row, more successes than rows, or the method is unknown.

    Source:
        Wilson (1927); Clopper and Pearson (1934); Agresti and Coull (1998); Brown, Cai,
        DasGupta (2001), Stat. Sci. 16:101-133 (Jeffreys, with its ends at 0 and n); Lancaster
        (1961), J. Am. Stat. Assoc. 56:223-234 (mid-p); the others by statsmodels; agrees with
        R `binom::binom.confint` and `PropCIs::midPci`.

    Example:
        >>> "{:.4f} {:.4f}".format(*share_interval(81, 263, method="clopper-pearson"))
        '0.2527 0.3676'
    """
    from statsmodels.stats.proportion import proportion_confint

    known = choice("method", method, _SHARES)
    share("confidence", confidence)
    counts(successes=successes, n=n)
    if n < 1 or successes > n:
        raise ValueError(f"{successes} successes of {n}; give at least one row, and count every row in n")
    if method == "mid-p":
        return _mid_p(int(successes), int(n), (1 - confidence) / 2), 1 - _mid_p(
            n - successes, int(n), (1 - confidence) / 2
        )
    low, high = proportion_confint(int(successes), int(n), alpha=1 - confidence, method=known)
    if method in ("jeffreys", "clopper-pearson"):
        low, high = 0.0 if successes == 0 else low, 1.0 if successes == n else high
    return max(0.0, float(low)), min(1.0, float(high))


def _mid_p(successes: int, n: int, tail: float) -> float:
    """Lower limit: where so many successes or more, those counted half, have the chance *tail*."""
    from scipy.optimize import brentq

    if successes == 0:
        return 0.0

    def excess(rate: float) -> float:
        more, as_many = special.bdtrc(successes - 1, n, rate), special.bdtrc(successes, n, rate)
        return float(more + as_many) / 2 - tail

    return float(brentq(excess, 0.0, 1.0, xtol=1e-15))


def mean_interval(sample: Sample, *, confidence: float = 0.95) -> tuple[float, float]:
    """
    Student's interval of one mean, e.g. of a latency or a KPI.

    Args:
        sample: (n, mean, m2), or an array of values.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Low and high; infinite below two values.

    Raises:
        ValueError: If a value is not finite, or the numbers cannot be those of a sample.

    Source:
        Student (1908), Biometrika 6:1-25; agrees with `scipy.stats.ttest_1samp`.

    Example:
        >>> "{:.4f} {:.4f}".format(*mean_interval([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
        '-0.5298 2.0298'
    """
    share("confidence", confidence)
    moments = numbers("sample", sample)
    if moments.n < 2:
        return -math.inf, math.inf
    half = float(special.stdtrit(moments.n - 1, (1 + confidence) / 2)) * moments.error
    return moments.mean - half, moments.mean + half
