"""Quantiles in few digits, without moving them past other values."""

import math

from flows.detection.univariate.ranks import Floats

_SLACK = 20  # a quantile moves by less than one step in so many


def shortened(values: Floats, quantiles: Floats) -> list[float]:
    """
    Round quantiles to the shortest decimal that has about as many values below it.

    Least and greatest stay, and so does whatever several rows share: a level shift of a tie by a rounding would be
    read as drift.

    Args:
        values: Sorted, shape (n,), distinct or not.
        quantiles: Some of the values, sorted, at equal steps of rank.

    Returns:
        As many numbers. The share of the values at or below each is within 1 / (20 (q - 1)) of that of the quantile.
    """
    n, q = values.size, quantiles.size
    slack = n // (_SLACK * (q - 1))
    above = values.searchsorted(quantiles, "right")
    alone = above - values.searchsorted(quantiles, "left") == 1
    alone[[0, -1]] = False
    low = values[(above - 1 - slack).clip(0)]
    high = values[(above + slack).clip(max=n - 1)]
    return [
        _short(start, stop, was) if single else was
        for start, stop, was, single in zip(
            low.tolist(), high.tolist(), quantiles.tolist(), alone.tolist(), strict=True
        )
    ]


def _short(low: float, high: float, was: float) -> float:
    """A decimal in [low, high) of the fewest digits, or what it was."""
    width = high - low
    if not 1e-290 < width < 1e290:
        return was
    exponent = math.floor(math.log10(width)) + 1
    for power in (exponent, exponent - 1, exponent - 2):
        steps = low / 10.0**power
        if abs(steps) < 2**53 and low <= (found := float(f"{math.ceil(steps)}e{power}")) < high:
            return found
    return was
