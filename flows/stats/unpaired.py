"""Two models on different callers."""

import math

from scipy import stats

from flows.stats.checks import share
from flows.stats.results import Effect
from flows.stats.tails import log_t_two_sided


def welch(
    champion: tuple[int, float, float], challenger: tuple[int, float, float], *, confidence: float = 0.95
) -> Effect:
    """
    Welch's t test from sufficient statistics.

    Args:
        champion, challenger: (n, mean, m2), m2 the sum of squared deviations.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of means; unbounded below two values in a group. One look only.

    Source:
        Welch (1947), Biometrika 34:28-35; agrees with `scipy.stats.ttest_ind_from_stats`.

    Example:
        >>> effect = welch((10, 1.0, 9.0), (12, 2.0, 11.0))
        >>> f"{effect.estimate:.1f} p = {effect.p_value:.4f}"
        '1.0 p = 0.0305'
    """
    share("confidence", confidence)
    (n1, mean1, m1), (n2, mean2, m2) = champion, challenger
    estimate, n = mean2 - mean1, min(n1, n2)
    if n < 2:
        return Effect(
            method="Welch t test",
            estimate=estimate if n else 0.0,
            low=-math.inf,
            high=math.inf,
            p_value=1.0,
            log_p=0.0,
            n=n,
            note="fewer than two values in a group",
        )
    v1, v2 = m1 / (n1 - 1) / n1, m2 / (n2 - 1) / n2
    error = math.sqrt(v1 + v2)
    if error == 0:
        same = estimate == 0
        return Effect(
            method="Welch t test",
            estimate=estimate,
            low=estimate,
            high=estimate,
            p_value=1.0 if same else 0.0,
            log_p=0.0 if same else -math.inf,
            n=n,
            note="no variance in either group",
        )
    freedom = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    radius = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    log_p = log_t_two_sided(abs(estimate) / error, freedom)
    return Effect(
        method="Welch t test",
        estimate=estimate,
        low=estimate - radius,
        high=estimate + radius,
        p_value=math.exp(log_p),
        log_p=log_p,
        n=n,
    )


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
