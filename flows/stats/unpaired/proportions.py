"""Shares of successes over different callers."""

import math

from flows.stats.checks import share


def newcombe(
    champion: tuple[int, int], challenger: tuple[int, int], *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """
    Difference of two independent proportions.

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Estimate, low, high; always within [-1, 1]. One look only.

    Raises:
        ValueError: If a group is empty.

    Source:
        Newcombe (1998), Stat. Med. 17:873-890, method 10: Wilson score intervals,
        combined by squaring and adding.

    Example:
        >>> "{:.2f} [{:.4f}, {:.4f}]".format(*newcombe((48, 80), (56, 70)))
        '0.20 [0.0524, 0.3339]'
    """
    from statsmodels.stats.proportion import proportion_confint

    share("confidence", confidence)
    (x1, n1), (x2, n2) = champion, challenger
    if n1 < 1 or n2 < 1:
        raise ValueError(f"groups have {n1} and {n2} values; both need one")
    l1, u1 = proportion_confint(x1, n1, alpha=1 - confidence, method="wilson")
    l2, u2 = proportion_confint(x2, n2, alpha=1 - confidence, method="wilson")
    p1, p2 = x1 / n1, x2 / n2
    low = p2 - p1 - math.hypot(p2 - l2, u1 - p1)
    high = p2 - p1 + math.hypot(u2 - p2, p1 - l1)
    return p2 - p1, float(low), float(high)
