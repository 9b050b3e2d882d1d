"""How long a step has stayed: only time in which somebody watched counts."""

from datetime import datetime, timedelta
from typing import NamedTuple

from registry.records.rollout import Rollout
from registry.store.pulses import Pulse


class Baking(NamedTuple):
    """
    The stay of a step at one look.

    Attributes:
        seconds: Watched so far; what this look adds is in `added`, and counts only if it saw something.
        added: Seconds since the last look, if they were watched.
        at: What the next look counts from: never before an earlier look, unless the clock was wrong.
        behind: The clock stands before an earlier look.
    """

    seconds: float
    added: float
    at: datetime
    behind: bool

    @property
    def total(self) -> float:
        """Seconds with what this look adds."""
        return self.seconds + self.added


def baking(rollout: Rollout, pulse: Pulse | None, now: datetime, longest_gap: timedelta | None) -> Baking:
    """
    Count the stay of the step under way.

    Time between two looks counts if it is not longer than *longest_gap*: who was away has watched nothing. A clock
    that steps back adds nothing, and nothing twice; if it steps back by more than the gap, it was wrong
    before, and is believed from now on.

    Args:
        rollout: Whose step it is.
        pulse: The last look; None before the first.
        now: On the model's clock.
        longest_gap: None for a replay, whose looks are as far apart as it likes.
    """
    mine = pulse is not None and pulse.step == rollout.step
    seconds, last = (pulse.baked_s, pulse.at) if mine and pulse is not None else (0.0, rollout.step_started_at)
    gap = now - last
    if gap < timedelta(0):
        wrong_before = longest_gap is not None and -gap > longest_gap
        return Baking(seconds, 0.0, now if wrong_before else last, behind=True)
    watched = longest_gap is None or gap <= longest_gap
    return Baking(seconds, gap.total_seconds() if watched else 0.0, now, behind=False)
