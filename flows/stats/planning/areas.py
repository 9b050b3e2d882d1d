"""Areas under ROC curves: how many ones and zeros it takes to tell two apart."""

import math
from typing import Literal

from scipy import special

from flows.stats.checks import number, share
from flows.stats.planning.solving import Sides, critical, positive, reachable, smallest_n

AreaVariance = Literal["hanley_mcneil", "obuchowski"]


def area_variance(area: float, ones: float, zeros: float, *, method: AreaVariance = "hanley_mcneil") -> float:
    """
    Variance of an estimated AUC, before there are scores.

    Args:
        area: Expected, between 0.5 and 1.
        ones, zeros: Rows of each class.
        method: "hanley_mcneil" for scores of an exponential shape, slightly large for
            others; "obuchowski" for ratings of a binormal one.

    Source:
        Hanley and McNeil (1982), Radiology 143:29-36, table I; Obuchowski and McClish
        (1997), Stat. Med. 16:1529-1542, as R `pROC::power.roc.test`.

    Example:
        >>> f"{math.sqrt(area_variance(0.893, 51, 58)):.4f}"
        '0.0325'
    """
    share("area", area)
    positive("ones", ones), positive("zeros", zeros)
    if method == "obuchowski":
        a2 = (float(special.ndtri(area)) * 1.414) ** 2
        return 0.0099 * math.exp(-a2 / 2) * (5 * a2 + 8 + (a2 + 8) * ones / zeros) / ones
    same, q1, q2 = area * area, area / (2 - area), 2 * area * area / (1 + area)
    return (area * (1 - area) + (ones - 1) * (q1 - same) + (zeros - 1) * (q2 - same)) / (ones * zeros)


def area_power(
    ones: float,
    zeros: float,
    area: float,
    *,
    alpha: float = 0.05,
    sides: Sides = 2,
    method: AreaVariance = "obuchowski",
) -> float:
    """
    Power of the test that one AUC is better than chance.

    Source:
        Obuchowski, Lieber, Wians (2004), Clin. Chem. 50:1118-1125, table 4; agrees with
        R `pROC::power.roc.test`.

    Example:
        >>> f"{area_power(41, 72, 0.73):.4f}"  # pROC: power.roc.test(ncases = 41, ncontrols = 72, auc = 0.73)
        '0.9897'
    """
    null = math.sqrt(area_variance(0.5, ones, zeros, method=method))
    error = math.sqrt(area_variance(area, ones, zeros, method=method))
    return float(special.ndtr((abs(area - 0.5) - critical(alpha, sides) * null) / error))


def area_n(
    area: float,
    *,
    zeros_per_one: float = 1.0,
    power: float = 0.8,
    alpha: float = 0.05,
    sides: Sides = 2,
    method: AreaVariance = "obuchowski",
) -> float:
    """
    Ones for a given power of the test that one AUC is better than chance.

    Example:
        >>> f"{area_n(0.7313686, zeros_per_one=1.7, power=0.95):.3f}"  # pROC: 29.29764
        '29.298'
    """
    reachable(area - 0.5, 0.0, sides)
    return smallest_n(
        lambda ones: area_power(ones, ones * zeros_per_one, area, alpha=alpha, sides=sides, method=method),
        power,
        least=1e-3,
    )


def two_areas_power(
    n: float,
    champion: float,
    challenger: float,
    *,
    ones: float,
    correlation: float = 0.0,
    ratio: float = 1.0,
    alpha: float = 0.05,
    margin: float = 0.0,
    sides: Sides = 2,
    method: AreaVariance = "hanley_mcneil",
) -> float:
    """
    Power of the comparison of two AUCs.

    Args:
        n: Labelled rows: all of them when both scored the same, else the champion's.
        champion, challenger: Expected areas.
        ones: Share of ones.
        correlation: Between the two estimated areas; 0 for different callers. Two good
            models on the same rows often reach 0.8.
        ratio: Challenger's rows per row of the champion; leave it at 1 for the same rows.
        alpha: Error rate.
        margin: Tolerated deterioration, for non-inferiority.
        sides: 1 or 2.
        method: As `area_variance`.

    Source:
        Hanley and McNeil (1983), Radiology 148:839-843: variance of a difference of
        correlated areas.
    """
    share("ones", ones), positive("n", n), positive("ratio", ratio), number("margin", margin)
    if not -1 <= correlation < 1:
        raise ValueError(f"correlation is {correlation}; it must lie in [-1, 1)")
    null = _difference_error(n, champion, champion, ones, correlation, ratio, method)
    error = _difference_error(n, champion, challenger, ones, correlation, ratio, method)
    shift = challenger - champion + margin
    if margin:
        null = error
    elif sides == 2:
        shift = abs(shift)
    return float(special.ndtr((shift - critical(alpha, sides) * null) / error))


def two_areas_n(
    champion: float,
    challenger: float,
    *,
    ones: float,
    power: float = 0.8,
    correlation: float = 0.0,
    ratio: float = 1.0,
    alpha: float = 0.05,
    margin: float = 0.0,
    sides: Sides = 2,
    method: AreaVariance = "hanley_mcneil",
) -> float:
    """
    Labelled rows (of the champion, for different callers) for a given power.

    Source:
        As `two_areas_power`; Hanley and McNeil (1982), table III, gives rows per class for
        independent areas and a one-sided alpha of 0.05.

    Example:
        >>> f"{two_areas_n(0.70, 0.75, ones=0.5, alpha=0.05, sides=1) / 2:.0f}"  # table III: 652
        '653'
    """
    share("ones", ones), positive("ratio", ratio)
    reachable(challenger - champion + margin, margin, sides)
    least = 2 / min(ones, 1 - ones) / min(ratio, 1.0)
    return smallest_n(
        lambda n: two_areas_power(
            n,
            champion,
            challenger,
            ones=ones,
            correlation=correlation,
            ratio=ratio,
            alpha=alpha,
            margin=margin,
            sides=sides,
            method=method,
        ),
        power,
        least=least,
    )


def _difference_error(
    n: float, first: float, second: float, ones: float, correlation: float, ratio: float, method: AreaVariance
) -> float:
    a = area_variance(first, n * ones, n * (1 - ones), method=method)
    b = area_variance(second, n * ratio * ones, n * ratio * (1 - ones), method=method)
    return math.sqrt(a + b - 2 * correlation * math.sqrt(a * b))
