"""All that is measured of one column; judged elsewhere."""

from typing import Literal

from registry.records.base import Record


class ColumnStatistics(Record, frozen=True, kw_only=True):
    """
    One column of a reference and of a window. What cannot be measured is None, never a number.

    Attributes:
        n: Values in the window; reference_n: in the reference. Null, NaN, infinite and foreign ones are not among them.
        missing, reference_missing: Rows without a usable value, all of those included.
        infinite: Values of the window that are; foreign: values of another type, such as text among numbers.
        bins: Bins or levels behind PSI, Jensen-Shannon and chi-square.
        ks, ks_p: Two-sample Kolmogorov-Smirnov D, and its asymptotic two-sided p-value.
        wasserstein: First Wasserstein distance in units of the column; scaled: divided by the reference's spread.
        psi, jensen_shannon: Index; distance (root of the divergence, base 2, 0 to 1).
        chi2, chi2_p, cramers_v: Of levels; V as if both samples were equally large.
        rarity: Sum over the levels of 1 / (rows of both sides): how far chi-square is from its limit.
        outliers, reference_outliers: Share of values beyond 3 standard deviations of the reference.
        outside: Share of values outside of the reference's range.
        low, high, reference_low, reference_high: Ranges.
        new_levels, vanished_levels: Levels on one side only, with their share of that side, largest first.
        error: Why nothing could be measured, in words; empty if all went well.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    n: int
    reference_n: int
    missing: int = 0
    reference_missing: int = 0
    infinite: int = 0
    foreign: int = 0
    bins: int = 0
    ks: float | None = None
    ks_p: float | None = None
    wasserstein: float | None = None
    scaled: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    chi2: float | None = None
    chi2_p: float | None = None
    cramers_v: float | None = None
    rarity: float | None = None
    mean: float | None = None
    sd: float | None = None
    reference_mean: float | None = None
    reference_sd: float | None = None
    outliers: float | None = None
    reference_outliers: float | None = None
    outside: float | None = None
    low: float | None = None
    high: float | None = None
    reference_low: float | None = None
    reference_high: float | None = None
    new_levels: tuple[tuple[str, float], ...] = ()
    vanished_levels: tuple[tuple[str, float], ...] = ()
    error: str = ""
