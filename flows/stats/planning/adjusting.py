"""What makes a sample worth more or less than its number of rows."""


def design_effect(size: float, icc: float, *, variation: float = 0.0) -> float:
    """
    How many times more requests are needed when several come from one key.

    Args:
        size: Mean number of labelled requests per key, at least 1.
        icc: Intra-class correlation of the requests of a key, from 0 to 1.
        variation: Coefficient of variation of the number of requests per key.

    Source:
        Kish (1965), Survey Sampling, 5.4; unequal sizes: Eldridge, Ashby, Kerry (2006),
        Int. J. Epidemiol. 35:1292-1300.

    Example:
        >>> f"{design_effect(10, 0.05):.2f} {design_effect(10, 0.05, variation=0.65):.4f}"
        '1.45 1.6613'
    """
    if not size >= 1:
        raise ValueError(f"size is {size}; a key has at least 1 request")
    if not 0 <= icc <= 1:
        raise ValueError(f"icc is {icc}; it must lie between 0 and 1")
    if not variation >= 0:
        raise ValueError(f"variation is {variation}; it must not be negative")
    return 1 + ((1 + variation**2) * size - 1) * icc


def covariate_factor(correlation: float) -> float:
    """
    Share of the sample that is left to collect with CUPED.

    Args:
        correlation: Between the metric and its covariate, e.g. last month's spending.

    Source:
        Deng, Xu, Kohavi, Walker (2013), WSDM, eq. 4.

    Example:
        >>> f"{covariate_factor(0.6):.2f}"
        '0.64'
    """
    if not -1 < correlation < 1:
        raise ValueError(f"correlation is {correlation}; it must lie strictly between -1 and 1")
    return 1 - correlation**2
