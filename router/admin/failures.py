"""Wrong tokens, counted per address, so that nobody guesses for long."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST, WINDOW_S = 10, 60.0
_REMEMBERED = 4096


class Failures:
    """
    After *most* wrong tokens within *window_s* seconds an address is told to wait.

    The wait ends *window_s* after the oldest mistake, however many more are made meanwhile.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(
        self, most: int = MOST, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._window_s, self._clock = most, window_s, clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_of(self, address: str) -> float:
        """Seconds until *address* may try another token; 0 if it may now."""
        times = self._wrong.get(address)
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + self._window_s - self._clock())

    def failed(self, address: str) -> None:
        """A wrong token came; while the address waits, none is counted."""
        if self.wait_of(address) > 0:
            return
        times = self._wrong.setdefault(address, deque(maxlen=self._most))
        while times and times[0] + self._window_s <= self._clock():
            times.popleft()
        times.append(self._clock())
        self._wrong.move_to_end(address)
        while len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
