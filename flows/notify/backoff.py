"""When to try again."""

import random
from datetime import timedelta

DAY = 86_400.0
FASTEST = 2.0
_GROWTH = 5.0
_JITTER = 0.2


def gap(attempts: int, tries: int, dice: random.Random | None = None) -> timedelta:
    """
    Time until the next try: five times as long each time, together about a day, a fifth more or less by chance.

    Args:
        attempts: How often it was tried, at least 1.
        tries: How often it is tried at most.
        dice: Where the chance comes from.

    Example:
        >>> still = random.Random(0)
        >>> [round(gap(n, 8, still).total_seconds(), -1) for n in (5, 6, 7)]
        [3150.0, 15250.0, 66920.0]
    """
    last = DAY * (1 - 1 / _GROWTH)
    even = max(FASTEST, last / _GROWTH ** max(tries - 1 - attempts, 0))
    return timedelta(seconds=even * (dice or random).uniform(1 - _JITTER, 1 + _JITTER))
