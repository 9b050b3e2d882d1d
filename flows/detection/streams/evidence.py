"""How strongly a window speaks for a higher error than the rows before it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
_LEAST = 1e-3  # skewness from which a gamma distribution is told from a normal one
_TINY = 1e-12  # variance in units of that of all rows: below it there is only rounding


def is_binary(losses: Floats) -> bool:
    """Nothing but 0 and 1."""
    return bool(((losses == 0) | (losses == 1)).all())


def prefix(values: Floats) -> Floats:
    """Sums of the first 0, 1, ... n values."""
    return np.concatenate([[0.0], np.cumsum(values)])


def cut_outliers(losses: Floats, known: int) -> Floats:
    """
    Losses held to a level far above those that are known, so that one absurd row is one row.

    Args:
        losses: Shape (n,).
        known: Rows at the start that set the level: their 99.5 % quantile, or ten times as far
            from the median as their 90 % quantile, if that is higher.
    """
    middle, high, top = np.quantile(losses[:known], [0.5, 0.9, 0.995])
    return np.minimum(losses, max(top, middle + 10 * (high - middle))) if high > middle else losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """
    What is known of the error before the stream begins, e.g. from a holdout.

    Attributes:
        mean: Mean loss.
        rows: Rows that it rests on.
    """

    mean: float = 0.0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class BinaryEvidence:
    """
    Of errors 0 and 1: the likelihood ratio of two shares against one.

    Attributes:
        sums: Shape (n + 1,), as by `prefix`.
        before: Rows before the first.
    """

    sums: Floats
    before: Before

    def of(self, ends: Whole, width: int | Whole) -> Floats:
        """
        Log likelihood ratios; 0 where the window's error is not the higher one.

        Args:
            ends: Shape (k,). Rows up to the end of the window.
            width: Rows of the window, or shape (k,) of each.
        """
        older = ends - width + self.before.rows
        recent = self.sums[ends] - self.sums[ends - width]
        past = self.sums[ends - width] + self.before.rows * self.before.mean
        share, other, both = recent / width, past / older, (recent + past) / (width + older)
        ratio = width * _divergence(share, both) + older * _divergence(other, both)
        return np.asarray(np.where(share > other, ratio, 0.0))


@dataclass(frozen=True, slots=True)
class RealEvidence:
    """
    Of real losses: as of gamma distributions with their mean, variance and skewness.

    Errors are skewed. Were they taken as normal, short windows would alarm too often.

    Attributes:
        first, second, third: Shape (n + 1,), sums of standardised losses and of their powers.
        before: Rows before the first, in the same unit.
    """

    first: Floats
    second: Floats
    third: Floats
    before: Before

    def of(self, ends: Whole, width: int | Whole) -> Floats:
        """As of a `BinaryEvidence`."""
        older = ends - width + self.before.rows
        past = self.first[ends - width] + self.before.rows * self.before.mean
        rise = (self.first[ends] - self.first[ends - width]) / width - past / older
        mean = self.first[ends] / ends
        variance = np.maximum(self.second[ends] / ends - mean * mean, _TINY)
        spread = np.sqrt(variance)
        third = self.third[ends] / ends - 3 * mean * variance - mean * mean * mean
        skewness = np.maximum(third / (variance * spread), _LEAST)
        step = np.maximum(rise, 0.0) / spread * skewness / 2
        return np.asarray(width * older / (width + older) * 4 / (skewness * skewness) * (step - np.log1p(step)))


def evidence(losses: Floats, before: Before, *, binary: bool, falls: bool) -> BinaryEvidence | RealEvidence:
    """
    Prepare all windows of a stream.

    Args:
        losses: Shape (n,).
        before: What is known from earlier.
        binary: Errors are 0 and 1.
        falls: Ask for falls instead of rises.
    """
    if binary:
        turned = 1 - losses if falls else losses
        return BinaryEvidence(prefix(turned), Before(mean=1 - before.mean if falls else before.mean, rows=before.rows))
    centre, unit = float(losses.mean()), float(losses.std()) or 1.0
    signed = -unit if falls else unit
    standard = (losses - centre) / signed
    earlier = Before(mean=(before.mean - centre) / signed, rows=before.rows)
    square = standard * standard
    return RealEvidence(prefix(standard), prefix(square), prefix(square * standard), earlier)


def _divergence(share: Floats, other: Floats) -> Floats:
    return np.asarray(special.rel_entr(share, other) + special.rel_entr(1 - share, 1 - other))
