"""How much evidence a window must show, so that all windows together alarm falsely as seldom as promised."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
_RATIO = 1.15
_HALVINGS = 60


def window_widths(shortest: int, longest: int) -> Whole:
    """
    Widths in rows, each about 15 % wider than the one before.

    Example:
        >>> window_widths(20, 30).tolist()
        [20, 23, 26]
    """
    steps = int(math.log(longest / shortest) / math.log(_RATIO))
    return np.unique(np.round(shortest * _RATIO ** np.arange(steps + 1)).astype(np.int64))


def evidence_limits(widths: Whole, run_length: float) -> Floats:
    """
    Log likelihood ratio at which a window of each width alarms.

    False alarms are spread evenly over the logarithm of the width: at equal limits nearly all
    would come from the shortest windows, and small rises would be found later than need be.

    Args:
        widths: Shape (k,), ascending.
        run_length: Rows between two false alarms, on average.

    Returns:
        Shape (k,). Falls with the width.

    Source:
        Siegmund, Venkatraman (1995), Ann. Stat. 23:255-271: b^3 phi(b) nu(b / sqrt(w))^2 / (4 w^2)
        false alarms for each row and each unit of the width w, b the signed root of twice the ratio.

    Example:
        >>> evidence_limits(np.array([20, 150, 1300]), 4e5).round(1).tolist()
        [12.5, 11.2, 9.0]
    """
    spread = math.log(max(float(widths[-1] / widths[0]), 2.0))
    wanted = np.log(4 * widths / (run_length * spread))
    low, high = np.full(widths.size, math.sqrt(3.0)), np.full(widths.size, 40.0)
    for _ in range(_HALVINGS):
        root = (low + high) / 2
        often = _log_rate(root, widths) > wanted
        low, high = np.where(often, root, low), np.where(often, high, root)
    return np.asarray(high * high / 2)


def _log_rate(root: Floats, widths: Whole) -> Floats:
    density = -root * root / 2 - 0.5 * math.log(2 * math.pi)
    return np.asarray(3 * np.log(root) + density + 2 * np.log(_overshoot(root / np.sqrt(widths))))


def _overshoot(step: Floats) -> Floats:
    """Siegmund's nu: what is jumped over because rows come one by one; Siegmund, Yakir (2007), p. 112."""
    half = step / 2
    height = np.exp(-half * half / 2) / math.sqrt(2 * math.pi)
    return np.asarray((special.ndtr(half) - 0.5) / half / (half * special.ndtr(half) + height))
