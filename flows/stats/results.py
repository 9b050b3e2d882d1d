"""One frozen answer for every question."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    An estimated difference, challenger minus champion, so that more is better.

    Attributes:
        method: Name of the test and its interval, as a statistician would write it.
        estimate: In the metric's unit.
        low, high: Interval; infinite when there is too little data to bound it.
        p_value: Two-sided; 1.0 when nothing speaks against equality.
        log_p: Natural logarithm of p_value, exact where p_value underflows.
        n: Rows, pairs or the smaller group that it rests on.
        note: What a reader must know, e.g. "no discordant pairs".
    """

    method: str
    estimate: float
    low: float
    high: float
    p_value: float
    log_p: float
    n: int
    note: str = ""
