"""How much time is left."""

from collections.abc import Callable

from flows.validation.errors import OutOfTime

Clock = Callable[[], float]


class Deadline:
    """
    A moment after which nothing more is asked.

    Args:
        seconds: From now on.
        clock: Monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock, self._began, self._until = clock, clock(), clock() + seconds

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def left(self, most: float = float("inf")) -> float:
        """
        Seconds that are left, at most *most*.

        Raises:
            OutOfTime: If there are none.
        """
        seconds = self._until - self._clock()
        if seconds <= 0:
            raise OutOfTime
        return min(seconds, most)
