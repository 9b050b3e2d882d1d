"""A circuit breaker per challenger: stop asking who keeps failing, probe now and then."""

from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """
    Count consecutive failures.

    Args:
        failures: How many open the circuit.
        open_s: Seconds until one probe is let through.
        clock: Monotonic seconds.
    """

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float]) -> None:
        self._most, self._open_s, self._clock = failures, open_s, clock
        self._failures = 0
        self._opened_at: float | None = None
        self._first_opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Whether requests pass, are held, or one probe may pass."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._clock() - self._opened_at >= self._open_s else "open"

    @property
    def open_for(self) -> float:
        """Seconds since it opened without a success since; 0 when closed."""
        return 0.0 if self._first_opened_at is None else self._clock() - self._first_opened_at

    def allows(self) -> bool:
        """Whether this request may go to the challenger."""
        state = self.state
        if state == "half_open" and not self._probing:
            self._probing = True
            return True
        return state == "closed"

    def succeeded(self) -> None:
        """A good answer closes the circuit."""
        self._failures, self._opened_at, self._first_opened_at, self._probing = 0, None, None, False

    def failed(self) -> None:
        """A failure counts; enough of them in a row, or a failed probe, open the circuit."""
        self._failures += 1
        self._probing = False
        if self._failures >= self._most:
            self._opened_at = self._clock()
            if self._first_opened_at is None:
                self._first_opened_at = self._opened_at
