"""Refuse numbers that no statistic can be made of; say what, and how many."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.moments import CoMoments, Moments

Sample = tuple[int, float, float] | ArrayLike
Pairs = tuple[int, float, float, float, float, float] | tuple[ArrayLike, ArrayLike]

_ROUNDING = 1e-9
_LARGEST = 1e150
_MOST = 1e18


def finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """One-dimensional, finite floats."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; give one")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ValueError(f"{name} has {bad} of {array.size} values that are NaN or infinite; drop or fill them")
    large = int(np.count_nonzero(np.abs(array) > _LARGEST))
    if large:
        raise ValueError(f"{name} has {large} of {array.size} values beyond 1e150, too large to square; rescale them")
    return array


def binary(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Labels of 0 and 1."""
    array = finite(name, values)
    bad = int(np.count_nonzero((array != 0) & (array != 1)))
    if bad:
        raise ValueError(f"{name} has {bad} of {array.size} values other than 0 and 1; recode them")
    return array


def numbered(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Labels that are numbers of classes: whole, from 0."""
    array = finite(name, values)
    bad = int(np.count_nonzero((array < 0) | (array != np.floor(array))))
    if bad:
        raise ValueError(f"{name} has {bad} of {array.size} values that are no numbers of classes; recode them")
    return array


def same_length(**arrays: NDArray[np.float64]) -> int:
    """How many rows all arrays have."""
    sizes = {name: array.size for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise ValueError(f"lengths differ ({shown}); give the same rows to both")
    return next(iter(sizes.values()))


def probabilities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Finite and from 0 to 1."""
    array = finite(name, values)
    bad = int(np.count_nonzero((array < 0) | (array > 1)))
    if bad:
        raise ValueError(f"{name} has {bad} of {array.size} values outside 0 to 1; calibrate or rescale them")
    return array


def number(name: str, value: float) -> float:
    """Finite."""
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}; give a finite number")
    return value


def above_zero(name: str, value: float) -> float:
    """Finite and above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be finite and above 0")
    return value


def generator(seed: int | np.random.Generator) -> np.random.Generator:
    """Dice from a seed, or those given."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed is {seed!r}; give a whole number from 0 on, or a generator") from None


def share(name: str, value: float) -> float:
    """Strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; it must lie strictly between 0 and 1")
    return value


def counts(**given: int) -> None:
    """Whole numbers, none negative."""
    bad = [f"{name} is {value}" for name, value in given.items() if not _countable(value)]
    if bad:
        raise ValueError(f"{', '.join(bad)}; counts are whole and not negative")


def numbers(name: str, given: Sample) -> Moments:
    """
    Sufficient statistics that some sample can have: a tuple (n, mean, m2), or made of an array of values.

    A sum of squares that rounding has made negative is taken as 0.
    """
    if not isinstance(given, tuple):
        return _of_values(name, given)
    if len(given) != 3:
        raise ValueError(f"{name} has {len(given)} numbers; give (n, mean, m2), or an array of values")
    n, mean, m2 = given
    counts(**{f"n of {name}": n})
    bad = [f"{what} of {name} is {value}" for what, value in (("mean", mean), ("m2", m2)) if not math.isfinite(value)]
    if m2 < -_ROUNDING * max(1.0, n * mean * mean):
        bad.append(f"m2 of {name} is {m2}, below 0")
    if bad:
        raise ValueError(f"{', '.join(bad)}; leave out the rows whose value is no number")
    return Moments(n, mean, max(m2, 0.0))


def choice(name: str, value: str, known: Mapping[str, str]) -> str:
    """What an option stands for."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; give one of {', '.join(map(repr, known))}")
    return known[value]


def matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Two-dimensional, finite floats."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} has {array.ndim} dimensions; give two")
    finite(name, array.ravel())
    return array


def pair_numbers(name: str, given: Pairs) -> CoMoments:
    """Sufficient statistics that some sample of pairs can have, or made of two arrays (x, y)."""
    if len(given) == 2:
        x, y = (finite(f"{part} of {name}", values) for part, values in zip("xy", given, strict=True))
        same_length(**{f"x of {name}": x, f"y of {name}": y})
        return CoMoments.of(x, y)
    if len(given) != 6:
        raise ValueError(f"{name} has {len(given)} parts; give CoMoments, or two arrays (x, y)")
    n, mean_x, mean_y, m2_x, m2_y, co = given
    one, other = numbers(f"x of {name}", (n, mean_x, m2_x)), numbers(f"y of {name}", (n, mean_y, m2_y))
    if not math.isfinite(co):
        raise ValueError(f"co of {name} is {co}; leave out the rows whose value is no number")
    bound = math.sqrt(one.m2) * math.sqrt(other.m2)
    slack = _ROUNDING * max(1.0, bound, n * abs(mean_x * mean_y))
    if abs(co) > bound + slack:
        raise ValueError(
            f"co of {name} is {co}, beyond +-{bound:.6g}, what m2_x and m2_y allow; count all over the same rows"
        )
    return CoMoments(n, mean_x, mean_y, one.m2, other.m2, co)


def _of_values(name: str, given: ArrayLike) -> Moments:
    if isinstance(given, list) and len(given) == 3:
        raise ValueError(f"{name} is a list of 3; give the tuple (n, mean, m2), or an array of values")
    return Moments.of(finite(name, given))


def _countable(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= _MOST and value == int(value)
