"""Two models' losses on the same requests, e.g. absolute error or Brier score."""

import numpy as np
from numpy.typing import ArrayLike

from flows.stats.checks import finite, same_length
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence
from flows.stats.sequential.bounded import paired_betting_sequence


def loss_difference_sequence(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    bounds: tuple[float, float] | None = None,
    alpha: float = 0.05,
    tuned_to: float = 500,
) -> AlwaysValid:
    """
    How much smaller the challenger's loss is, looked at as often as one likes.

    Args:
        champion, challenger: Shape (n,). Losses on the same requests, in order of time; less is better.
        bounds: Least and greatest possible loss, known before the data, e.g. (0, 1) for Brier. With them the answer is
            exact at any sample size; without, it is asymptotic and silent before 100 requests.
        alpha: Error rate over all looks together.
        tuned_to: Number of requests at which the asymptotic interval is tightest.

    Returns:
        The champion's loss minus the challenger's, so that more is better.

    Raises:
        ValueError: If lengths differ, or a loss is not a number or lies outside of the bounds.

    Source:
        `paired_betting_sequence` with bounds, `paired_sequence` without.

    Example:
        >>> ours, theirs = [0.30, 0.10, 0.25, 0.40] * 100, [0.20, 0.08, 0.20, 0.35] * 100
        >>> exact = loss_difference_sequence(ours, theirs, bounds=(0, 1))
        >>> near = loss_difference_sequence(ours, theirs)
        >>> f"{exact.estimate:.3f} {near.estimate:.3f}", near.low > 0, exact.low > 0
        ('0.055 0.055', True, True)
    """
    ours, theirs = finite("champion", champion), finite("challenger", challenger)
    same_length(champion=ours, challenger=theirs)
    if bounds is not None:
        return paired_betting_sequence(-ours, -theirs, low=-bounds[1], high=-bounds[0], alpha=alpha)
    saved = ours - theirs
    mean = float(saved.mean()) if saved.size else 0.0
    return paired_sequence((saved.size, mean, float(np.sum((saved - mean) ** 2))), alpha=alpha, tuned_to=tuned_to)
