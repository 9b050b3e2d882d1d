"""All that is measured of one column; judged elsewhere."""

from typing import Literal

from registry.records.base import Record

ABSENT = "the column is absent"  # the `error` of a column that the window lacks


class ColumnStatistics(Record, frozen=True, kw_only=True):
    """
    One column of a reference and of a window. What cannot be measured is None, never a number.

    Attributes:
        n: Values in the window; reference_n: in the reference. Null, NaN, infinite and foreign ones are not among them.
        missing, reference_missing: Rows without a usable value, all of those included.
        infinite: Values of the window that are; foreign: values of another type, such as text among numbers.
        bins: Bins or levels behind PSI, Jensen-Shannon and chi-square, those that are empty on both sides left out.
        ks, ks_p: Two-sample Kolmogorov-Smirnov D, and its asymptotic two-sided p-value.
        wasserstein: First Wasserstein distance in units of the column; scaled: divided by the reference's robust
            spread (quartile distance / 1.349), values further out than 10 of these beyond the quartiles clipped.
        moved: Wasserstein distance of the samples with 1 % at either end left aside, divided by the reference's
            standard deviation with 1 % at either end held at its 1st and 99th percentile; None if that is 0.
        psi, jensen_shannon: Index; distance (root of the divergence, base 2, 0 to 1).
        chi2, chi2_p: Of levels, rare ones included: the p-value is good only if 5 rows are expected of each.
        cramers_v_even: V as if both samples were equally large; cramers_v: root of chi2 / rows.
        pooled_bins, pooled_p, pooled_v, pooled_psi: Of levels, those too rare for chi-square being one bin; here the
            p-value is good at any size. `pooled_v` is as if both samples were equally large.
        outliers, reference_outliers: Share of values beyond 3 standard deviations of the reference.
        outside: Share of values outside of the reference's range.
        low, high, reference_low, reference_high: Ranges.
        new_levels, vanished_levels: Levels on one side only, with their share of that side, largest first, at most 20.
        new_share, vanished_share: Of all of them together; new_count, vanished_count: how many there are.
        note: What a person should know of how it was measured, in words, such as time zones that differ.
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
    moved: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    chi2: float | None = None
    chi2_p: float | None = None
    cramers_v_even: float | None = None
    cramers_v: float | None = None
    pooled_bins: int = 0
    pooled_p: float | None = None
    pooled_v: float | None = None
    pooled_psi: float | None = None
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
    new_share: float | None = None
    vanished_share: float | None = None
    new_count: int = 0
    vanished_count: int = 0
    note: str = ""
    error: str = ""
