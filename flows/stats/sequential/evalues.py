"""
Joining e-values: of several metrics, of phases, of experiments.

An e-value has mean at most 1 if nothing is different. Averages of any e-values are e-values;
products are, if they are independent or follow one another in time.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import finite, share


def average_log_e(log_e: ArrayLike, weights: ArrayLike | None = None) -> float:
    """
    Join e-values that may depend on each other in any way.

    Args:
        log_e: Shape (k,). Logs of e-values, e.g. of several metrics at one look.
        weights: Shape (k,). Not negative, chosen before the data; equal if not given.

    Returns:
        Log of the weighted mean. Means of e-processes are e-processes.

    Raises:
        ValueError: If there are none, one is not a number, or weights are negative or all 0.

    Source:
        Vovk, Wang (2021), Ann. Stat. 49:1736-1754, sec. 3: essentially the only admissible way.

    Example:
        >>> f"{average_log_e([math.log(40), math.log(2), math.log(3)]):.6f} {math.log(15):.6f}"
        '2.708050 2.708050'
    """
    from scipy.special import logsumexp

    found = _some("log_e", log_e)
    given = np.ones_like(found) if weights is None else finite("weights", weights)
    if given.size != found.size:
        raise ValueError(f"weights has {given.size} entries and log_e {found.size}; give one for each")
    if (given < 0).any() or not given.any():
        raise ValueError("weights are negative or all 0; give shares of what each metric counts")
    return float(logsumexp(found, b=given / given.sum()))


def product_log_e(log_e: ArrayLike) -> float:
    """
    Join e-values that are independent, or each valid given those before it.

    Args:
        log_e: Shape (k,). Logs of e-values, e.g. of the phases of a rollout.

    Source:
        Vovk, Wang (2021), Ann. Stat. 49:1736-1754, sec. 4.

    Example:
        >>> f"{product_log_e([math.log(4), math.log(5)]):.6f} {math.log(20):.6f}"
        '2.995732 2.995732'
    """
    return float(np.sum(_some("log_e", log_e)))


def log_p_from_log_e(log_e: float) -> float:
    """
    Log p-value of an e-value: p = min(1, 1 / e).

    Source:
        Vovk, Wang (2021), Ann. Stat. 49:1736-1754, sec. 2; Ville (1939).

    Example:
        >>> log_p_from_log_e(3.0), log_p_from_log_e(-1.0)
        (-3.0, 0.0)
    """
    return min(0.0, -log_e)


def log_e_from_log_p(log_p: float, kappa: float | None = None) -> float:
    """
    Log e-value of a p-value of one look.

    Args:
        log_p: At most 0.
        kappa: Power calibrator kappa p^(kappa - 1), chosen before the data. Without it the mixture over all kappa,
            (1 - p + p ln p) / (p ln(p)^2).

    Raises:
        ValueError: If log_p is above 0, or kappa not strictly between 0 and 1.

    Source:
        Vovk, Wang (2021), Ann. Stat. 49:1736-1754, sec. 2; Shafer, Shen, Vereshchagin, Vovk (2011),
        Stat. Sci. 26:84-101.

    Example:
        >>> [f"{math.exp(log_e_from_log_p(math.log(p))):.4f}" for p in (0.05, 0.01, 0.001)]
        ['1.7833', '4.4510', '20.7911']
    """
    if not -math.inf < log_p <= 0:
        raise ValueError(f"log_p is {log_p}; the log of a p-value must be finite and at most 0")
    if kappa is not None:
        return math.log(share("kappa", kappa)) + (kappa - 1) * log_p
    if log_p > -1e-4:
        return math.log(0.5 - log_p / 6)
    return math.log(-math.expm1(log_p) + math.exp(log_p) * log_p) - log_p - 2 * math.log(-log_p)


def benjamini_hochberg_log_e(log_e: ArrayLike, *, alpha: float = 0.05) -> NDArray[np.bool_]:
    """
    Which hypotheses to reject so that the false discovery rate is at most alpha, under any dependence.

    Args:
        log_e: Shape (k,). Logs of e-values, one for each metric.
        alpha: False discovery rate.

    Returns:
        Shape (k,), True where rejected.

    Source:
        Wang, Ramdas (2022), JRSS B 84:822-852 (e-BH).

    Example:
        >>> benjamini_hochberg_log_e(np.log([90.0, 31.0, 15.0, 1.0])).tolist()
        [True, False, False, False]
        >>> benjamini_hochberg_log_e(np.log([90.0, 41.0, 15.0, 1.0])).tolist()
        [True, True, False, False]
    """
    share("alpha", alpha)
    found = _some("log_e", log_e)
    order = np.argsort(-found, kind="stable")
    reach = found[order] >= math.log(found.size / alpha) - np.log(np.arange(1, found.size + 1))
    rejected = np.zeros(found.size, dtype=np.bool_)
    if reach.any():
        rejected[order[: int(np.flatnonzero(reach)[-1]) + 1]] = True
    return rejected


def _some(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = finite(name, values)
    if not array.size:
        raise ValueError(f"{name} is empty; give at least one")
    return array
