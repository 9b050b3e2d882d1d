"""Accuracy of two models on the same rows: only the rows on which they differ count."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from flows.stats.checks import share
from flows.stats.planning.solving import Sides, critical, positive, smallest_n

PairedTest = Literal["connor", "miettinen", "midp", "exact"]
_NEGLIGIBLE = 1e-12


def discordant_power(
    n: float,
    difference: float,
    discordance: float,
    *,
    test: PairedTest = "connor",
    alpha: float = 0.05,
    sides: Sides = 2,
) -> float:
    """
    Power of McNemar's test.

    Args:
        n: Labelled rows that both models scored.
        difference: Expected accuracy of the challenger minus that of the champion.
        discordance: Share of rows on which exactly one of them is right; at least the
            size of the difference.
        test: "connor" and "miettinen" are normal approximations, "midp" and "exact" sum
            over all numbers of discordant rows. Two models are compared by mid-p.
        alpha: Error rate.
        sides: 1 or 2.

    Raises:
        ValueError: If the discordance is smaller than the difference, or beyond 1.

    Source:
        Connor (1987), Biometrics 43:207-211, eq. 1; Miettinen (1968), Biometrics
        24:339-352; mid-p as Fagerland, Lydersen, Laake (2013), BMC Med. Res. Methodol. 13:91.

    Example:
        >>> f"{discordant_power(100, 0.10, 0.30, test='exact'):.4f}"  # p10 = 0.2, p01 = 0.1
        '0.3731'
    """
    _possible(difference, discordance)
    positive("n", n)
    if test in ("midp", "exact"):
        return _summed_power(math.floor(n), difference, discordance, test, alpha, sides)
    d, bound = abs(difference), critical(alpha, sides)
    null, spread = _spreads(d, discordance, test)
    return float(special.ndtr((d * math.sqrt(n) - bound * null) / spread)) if spread else float(d > 0)


def discordant_n(
    difference: float,
    discordance: float,
    *,
    power: float = 0.8,
    test: PairedTest = "connor",
    alpha: float = 0.05,
    sides: Sides = 2,
) -> float:
    """
    Labelled rows, scored by both, for a given power.

    Returns:
        A real number for the normal approximations; for "midp" and "exact", whose power
        is a saw-tooth, the smallest whole number from which it no longer falls below.

    Source:
        As `discordant_power`.

    Example:
        >>> f"{discordant_n(0.10, 0.30):.2f}"  # R: MESS::power_mcnemar_test(paid = .1, psi = 2, power = .8)
        '233.09'
    """
    if difference == 0:
        raise ValueError("difference is 0; there is nothing to see, whatever the number of rows")
    _possible(difference, discordance)
    if test in ("midp", "exact"):
        return _summed_n(difference, discordance, power, test, alpha, sides)
    return smallest_n(
        lambda n: discordant_power(n, difference, discordance, test=test, alpha=alpha, sides=sides), power, least=1e-3
    )


def independent_discordance(champion: float, challenger: float) -> float:
    """
    Discordance of two models whose errors have nothing to do with each other: the worst case in practice.

    Example:
        >>> f"{independent_discordance(0.85, 0.90):.3f}"
        '0.220'
    """
    p, q = share("champion", champion), share("challenger", challenger)
    return p * (1 - q) + q * (1 - p)


def _spreads(d: float, psi: float, test: PairedTest) -> tuple[float, float]:
    if test == "connor":
        return math.sqrt(psi), math.sqrt(max(psi - d * d, 0.0))
    if test == "miettinen":
        return math.sqrt(psi), math.sqrt(max(psi - d * d * (3 + psi) / (4 * psi), 0.0))
    raise ValueError(f"test is {test!r}; use connor, miettinen, midp or exact")


def _summed_power(n: int, difference: float, discordance: float, test: str, alpha: float, sides: Sides) -> float:
    """Binomial power, summed over the number of discordant rows."""
    rows = stats.binom(n, discordance)
    m = np.arange(max(0, int(rows.ppf(_NEGLIGIBLE))), int(rows.isf(_NEGLIGIBLE)) + 1)
    most = _critical_losses(m, test, critical_tail=alpha / sides)
    wins = (1 + abs(difference) / discordance) / 2
    right = np.where(most >= 0, special.bdtr(np.maximum(most, 0), m, 1 - wins), 0.0)
    wrong = np.where(most >= 0, special.bdtr(np.maximum(most, 0), m, wins), 0.0) if sides == 2 else 0.0
    return float(np.sum(rows.pmf(m) * (right + wrong)))


def _critical_losses(m: NDArray[np.int64], test: str, *, critical_tail: float) -> NDArray[np.int64]:
    """The most discordant rows that the better model may lose; -1 where nothing is significant."""
    guess = np.asarray(stats.binom.ppf(critical_tail, np.maximum(m, 1), 0.5), dtype=np.int64) + 1
    for _ in range(4):
        tail = stats.binom.cdf(guess, m, 0.5) - (0.5 * stats.binom.pmf(guess, m, 0.5) if test == "midp" else 0.0)
        guess = np.where((tail > critical_tail) & (guess >= 0), guess - 1, guess)
    return guess


def _summed_n(
    difference: float, discordance: float, power: float, test: PairedTest, alpha: float, sides: Sides
) -> float:
    def enough(n: int) -> bool:
        return discordant_power(n, difference, discordance, test=test, alpha=alpha, sides=sides) >= power

    about = discordant_n(difference, discordance, power=power, test="connor", alpha=alpha, sides=sides)
    high = math.ceil(about * 1.3) + 10
    low = max(1, math.floor(about * 0.7) - 10)
    while not enough(high):
        high = math.ceil(high * 1.2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(_settled(high, enough))


def _settled(n: int, enough: Callable[[int], bool]) -> int:
    """Walk on until the saw-tooth stays above for a while."""
    for ahead in range(n + 12, n, -1):
        if not enough(ahead):
            return ahead + 1
    return n


def _possible(difference: float, discordance: float) -> None:
    if not abs(difference) <= discordance <= 1 or discordance <= 0:
        raise ValueError(
            f"discordance is {discordance} with a difference of {difference}; "
            "it must lie between the size of the difference and 1"
        )
