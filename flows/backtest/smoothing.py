"""Series of batches, made readable."""

from collections.abc import Sequence

from flows.backtest.results import Backtest, PolicyResult


def smooth(values: Sequence[float | None], width: int) -> list[float | None]:
    """
    Mean over the last *width* batches that have a value.

    Example:
        >>> smooth([1.0, None, 3.0, 5.0], 2)
        [1.0, 1.0, 3.0, 4.0]
    """
    windows = ([v for v in values[max(0, n - width + 1) : n + 1] if v is not None] for n in range(len(values)))
    return [sum(window) / len(window) if window else None for window in windows]


def lost_so_far(one: PolicyResult, found: Backtest) -> int | None:
    """Batch by which half of what was lost to always had been lost; None where nothing was."""
    sign = 1 if found.higher else -1
    always = found.policy("always").series
    gaps = [sign * (a - b) if a is not None and b is not None else 0.0 for a, b in zip(always, one.series, strict=True)]
    total, so_far = sum(gaps), 0.0
    if total <= 0:
        return None
    for number, gap in enumerate(gaps):
        so_far += gap
        if so_far >= total / 2:
            return number
    return None
