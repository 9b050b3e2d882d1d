"""How much of the error rate may have been used up by a fraction of the horizon."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Family = Literal["obrien-fleming", "pocock", "power", "hwang-shih-decani"]
_LARGEST_SHAPE = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """
    A spending function of Lan and DeMets: 0 at the start, the whole error rate at the horizon.

    Attributes:
        family: "obrien-fleming" and "pocock" resemble the boundaries of those names.
        shape: rho of the power family (above 0), gamma of Hwang, Shih and DeCani (below 0
            spends late, above 0 early); of no account for the other two.
    """

    family: Family
    shape: float = 1.0

    def __post_init__(self) -> None:
        if self.family not in ("obrien-fleming", "pocock", "power", "hwang-shih-decani"):
            raise ValueError(f"family is {self.family!r}; give obrien-fleming, pocock, power or hwang-shih-decani")
        if not abs(self.shape) <= _LARGEST_SHAPE or (self.family == "power" and self.shape <= 0):
            raise ValueError(f"shape is {self.shape}; give a finite number, above 0 for the power family")

    def log_spent(self, times: ArrayLike, log_level: float) -> NDArray[np.float64]:
        """
        Log of the error rate used up to each time.

        Args:
            times: Fractions of the horizon, above 0; beyond 1 all is spent.
            log_level: Log of the whole error rate, of one side where the test has two.

        Returns:
            Same shape as *times*; exact where the rate itself would underflow.

        Source:
            Lan and DeMets (1983), Biometrika 70:659-663; Kim and DeMets (1987), Biometrika
            74:149-154 (power); Hwang, Shih and DeCani (1990), Stat. Med. 9:1439-1445. Agrees with
            R ldbounds `alphas` (its iuse 1 to 4), gsDesign and rpact.

        Example:
            >>> spent = np.exp(obrien_fleming().log_spent([0.2, 0.5, 1.0], math.log(0.025)))
            >>> [f"{x:.3g}" for x in spent]
            ['5.39e-07', '0.00153', '0.025']
        """
        t = np.minimum(np.asarray(times, dtype=np.float64), 1.0)
        spent: NDArray[np.float64] = _FAMILIES[self.family](t, log_level, self.shape)
        return spent


def obrien_fleming() -> Spending:
    """Hardly spends early: the last bound is close to that of a single look."""
    return Spending(family="obrien-fleming")


def pocock() -> Spending:
    """Spends early: bounds of nearly equal height."""
    return Spending(family="pocock")


def power_family(rho: float) -> Spending:
    """Level times t^rho: rho = 3 is close to O'Brien-Fleming, rho = 1 to Pocock."""
    return Spending(family="power", shape=rho)


def hwang_shih_decani(gamma: float) -> Spending:
    """Gamma = -4 is close to O'Brien-Fleming, gamma = 1 to Pocock, gamma = 0 is linear."""
    return Spending(family="hwang-shih-decani", shape=gamma)


def _obrien_fleming(t: NDArray[np.float64], log_level: float, _: float) -> NDArray[np.float64]:
    z = -special.ndtri_exp(log_level - math.log(2))
    return math.log(2) + np.asarray(special.log_ndtr(-z / np.sqrt(t)))


def _pocock(t: NDArray[np.float64], log_level: float, _: float) -> NDArray[np.float64]:
    return log_level + np.log(np.log1p(math.expm1(1) * t))


def _power(t: NDArray[np.float64], log_level: float, rho: float) -> NDArray[np.float64]:
    return log_level + rho * np.log(t)


def _hwang_shih_decani(t: NDArray[np.float64], log_level: float, gamma: float) -> NDArray[np.float64]:
    if gamma == 0:
        return log_level + np.log(t)
    rate = abs(gamma)
    share = np.log(-np.expm1(-rate * t)) - math.log(-math.expm1(-rate))
    return log_level + share + (rate * (t - 1) if gamma < 0 else 0.0)


_FAMILIES = {
    "obrien-fleming": _obrien_fleming,
    "pocock": _pocock,
    "power": _power,
    "hwang-shih-decani": _hwang_shih_decani,
}
