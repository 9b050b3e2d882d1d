"""One frozen answer for every question."""

import math
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    An estimated difference, challenger minus champion, so that more is better.

    Looked at once: the interval and the p-value hold for one look at a size that was
    not chosen by peeking.

    Attributes:
        method: Name of the test and its interval, as a statistician would write it.
        estimate: In the metric's unit.
        low, high: Interval; infinite when there is too little data to bound it.
        p_value: Two-sided and above 0; 1.0 when nothing speaks against equality.
        log_p: Natural logarithm of the p-value, exact where p_value would underflow.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysValid:
    """
    An estimated difference whose interval holds at all times at once.

    Attributes:
        method: As of an `Effect`.
        estimate: Challenger minus champion; more is better.
        low, high: Confidence sequence at this moment; infinite before it can say anything.
        p_value: Always-valid and above 0: its chance of ever falling to alpha is alpha.
        log_p: Natural logarithm of the p-value.
        log_e: Log e-value against equality; None where the method has none.
        n: Pairs, or the smaller group.
        note: What a reader must know.
    """

    method: str
    estimate: float
    low: float
    high: float
    p_value: float
    log_p: float
    log_e: float | None
    n: int
    note: str = ""


def probability(log_p: float) -> float:
    """
    Turn a log p-value into one that never prints as 0.

    Example:
        >>> probability(-2.0), probability(0.5), probability(-9999.0) > 0
        (0.1353352832366127, 1.0, True)
    """
    return max(math.exp(min(0.0, log_p)), sys.float_info.min)
