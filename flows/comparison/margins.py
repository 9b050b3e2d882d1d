"""Margins that are a share of the champion's value: that value is an estimate, too."""

import math
from dataclasses import replace
from typing import TypeVar

from flows.stats.results import AlwaysValid, Effect

_Answer = TypeVar("_Answer", bound=Effect | AlwaysValid)


def champion_factor(mean: float, margin: float) -> float:
    """
    What the champion's values are multiplied by, so that a challenger at its margin is level with them.

    "Worse by at most a share of the champion's value" is a statement on challenger minus factor
    times champion. An interval of the plain difference, held against a margin that is taken for
    known, is too short where the champion is noisy.

    Args:
        mean: Of the champion, more is better.
        margin: Share of its size that may be lost.

    Example:
        >>> champion_factor(2.0, 0.1), champion_factor(-2.0, 0.1)
        (0.9, 1.1)
    """
    return 1 - math.copysign(margin, mean)


def with_margin(plain: _Answer, level: Effect | AlwaysValid, shift: float) -> _Answer:
    """
    The plain difference, its bounds moved from those of the comparison at the margin.

    Args:
        plain: Challenger minus champion.
        level: Challenger minus `champion_factor` times champion.
        shift: The margin in the metric's unit; the low bound is above minus this exactly where
            that of *level* is above 0.
    """
    return replace(plain, low=level.low - shift, high=level.high - shift)
