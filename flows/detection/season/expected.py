"""
What the curves let expect of a window, and how sure a gap is.

Sources:
    A share is as far off as its own drawing, the curve's uncertainty and the usual spread from
    day to day allow; Student's t with the degrees of freedom of that sum (Satterthwaite 1946,
    Biometrics Bull. 2:110-114), the spread being counted half a standard error larger there: few
    days often show less of it than there is.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.season.calendar import DAY, Ints, design
from flows.detection.season.profile import Curve, SeasonProfile
from flows.detection.season.regression import variances

Floats = NDArray[np.float64]
_EMPTY = 0.5  # rows that an empty bin counts as in PSI


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Shares of a window beside the expected ones.

    Attributes:
        seen, expected: Shape (s,); p_values: two-sided, of each.
        doubt: Variance of the curve, in units of p(1 - p).
        n: Rows behind the shares seen.
    """

    seen: Floats
    expected: Floats
    p_values: Floats
    doubt: float
    n: int

    @property
    def change(self) -> Floats:
        """Seen less expected."""
        return self.seen - self.expected

    def psi(self, *, numeric: bool) -> tuple[float, int]:
        """Population stability index of the window against the expected shares, and the bins behind it."""
        ours, theirs = (_bins(shares, numeric=numeric) for shares in (self.expected, self.seen))
        least = _EMPTY / self.n
        kept = np.maximum(ours, theirs) > least
        p, q = np.maximum(ours[kept], least), np.maximum(theirs[kept], least)
        return float(np.sum((p - q) * np.log(p / q))), int(kept.sum())


@dataclass(frozen=True, slots=True)
class Window:
    """
    When the rows of a window are.

    Attributes:
        columns: Mean of their design, shape (p,).
        doubt: Variance of the curve there, in units of p(1 - p), for all rows of the reference.
        day, slot: Sum of the squared shares of the rows by day, and by slot: 1 if all are in one.
    """

    columns: Floats
    doubt: float
    day: float
    slot: float

    @classmethod
    def of(cls, moments: Ints, profile: SeasonProfile) -> "Window":
        """Take the seconds since 1970 of its rows, shape (n,), n > 0."""
        mean = design(moments, profile.seasons, profile.waves).mean(axis=0)
        doubt = float(mean @ np.asarray(profile.inverse) @ mean)
        return cls(mean, max(doubt, 0.0), _crowding(moments // DAY), _crowding(moments // profile.slot))

    def gap(self, curve: Curve, profile: SeasonProfile, seen: Floats, n: int, which: slice) -> Gap:
        """
        Compare shares of a window with the expected ones.

        Args:
            curve: Of the column.
            profile: That it is of.
            seen: Shape (s,).
            n: Rows behind them.
            which: The curve's coefficients that belong to them.
        """
        coefficients = np.asarray(curve.coefficients)[which]
        expected = np.clip(coefficients @ self.columns, 0.0, 1.0)
        day, slot = np.asarray(curve.day_spread)[which], np.asarray(curve.slot_spread)[which]
        doubt = self.doubt * profile.rows / max(1, curve.n) * (1 + day * profile.rows / profile.days)
        spread = np.maximum(day * self.day, slot * self.slot) + doubt
        usual = variances(np.maximum(expected, (expected + seen) / 2), coefficients @ np.asarray(profile.centre))
        total = 1 / n + spread
        unsure = spread + math.sqrt(0.5 / profile.degrees) * (profile.days / profile.rows + day) * self.day
        degrees = profile.degrees * (total / np.minimum(unsure, total)) ** 2
        t = np.abs(seen - expected) / np.sqrt(usual * total)
        return Gap(seen, expected, 2 * special.stdtr(degrees, -t), float(np.mean(doubt)), n)


def _bins(shares: Floats, *, numeric: bool) -> Floats:
    whole = np.diff(shares, prepend=0.0, append=1.0) if numeric else np.append(shares, 1 - shares.sum())
    return np.maximum(whole, 0.0)


def _crowding(group: Ints) -> float:
    _, rows = np.unique(group, return_counts=True)
    return float(np.sum((rows / rows.sum()) ** 2))
