"""A circuit breaker per challenger: stop asking who keeps failing, probe now and then."""

from collections.abc import Callable
from typing import Literal

import msgspec

State = Literal["closed", "open", "half_open"]


class Circuit(msgspec.Struct, frozen=True, array_like=True):
    """
    What workers tell each other of a breaker; moments are monotonic seconds of the machine.

    Attributes:
        opened_at: When it opened, or its newest probe failed; None while closed.
        since: When it opened after the last good answer; None while closed.
        closed_at: When a good answer closed it last; 0.0 if it never did.
    """

    opened_at: float | None = None
    since: float | None = None
    closed_at: float = 0.0


class Breaker:
    """
    Count consecutive failures.

    Args:
        failures: How many open the circuit.
        open_s: Seconds until one probe is let through.
        clock: Monotonic seconds, the same for all workers of the machine.

    Attributes:
        probes: Whether this worker may send the probes; of several, one does at a time.
    """

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float]) -> None:
        self._most, self._open_s, self._clock = failures, open_s, clock
        self._failures = 0
        self._opened_at: float | None = None
        self._since: float | None = None
        self._closed_at = 0.0
        self._probing = False
        self.probes = True

    @property
    def state(self) -> State:
        """Whether requests pass, are held, or one probe may pass."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._clock() - self._opened_at >= self._open_s else "open"

    @property
    def open_for(self) -> float:
        """Seconds since it opened without a success since; 0 when closed."""
        return 0.0 if self._since is None else self._clock() - self._since

    @property
    def circuit(self) -> Circuit:
        """What the other workers should know."""
        return Circuit(self._opened_at, self._since, self._closed_at)

    def allows(self) -> bool:
        """Whether this request may go to the challenger."""
        state = self.state
        if state == "half_open" and self.probes and not self._probing:
            self._probing = True
            return True
        return state == "closed"

    def succeeded(self) -> None:
        """A good answer closes the circuit."""
        if self._opened_at is not None:
            self._close(self._clock())
        self._failures, self._probing = 0, False

    def failed(self) -> None:
        """A failure counts; enough of them in a row, or a failed probe, open the circuit."""
        self._failures += 1
        self._probing = False
        if self._failures >= self._most or self._opened_at is not None:
            self._open(self._clock(), self._since)

    def adopt(self, other: Circuit) -> None:
        """Believe another worker's newer experience: open with it, close with it, wait as long for the next probe."""
        if other.opened_at is not None and other.opened_at > max(self._opened_at or 0.0, self._closed_at):
            self._open(other.opened_at, other.since)
        elif self._opened_at is not None and other.closed_at > self._opened_at:
            self._close(other.closed_at)

    def _open(self, at: float, since: float | None) -> None:
        if self._since is None:
            self._since = at if since is None else since
        self._opened_at = at

    def _close(self, at: float) -> None:
        self._opened_at = self._since = None
        self._closed_at, self._failures = at, 0
