"""What a single look cannot know: requests per second, and how the estimate went."""

import time
from collections import deque
from collections.abc import Callable

from flows.cli.standing import Seen
from registry.records.live import PhaseMetrics
from registry.records.rollout import Rollout

_RATE_S = 10.0  # seconds over which requests per second are counted
_MOST = 600  # estimates that are remembered
_Counts = tuple[float, str, dict[str, int]]  # seconds, phase, requests by variant


class Pace:
    """Requests per second of every variant and shadow in a phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: deque[_Counts] = deque()

    def add(self, phase: PhaseMetrics) -> None:
        """Remember what was counted so far; a new phase counts afresh."""
        counts = {name: one.assigned for name, one in phase.variants.items()}
        counts |= {name: one.copies for name, one in phase.shadows.items()}
        if self._counts and self._counts[-1][1] != phase.phase:
            self._counts.clear()
        self._counts.append((self._clock(), phase.phase, counts))
        while len(self._counts) > 2 and self._counts[-1][0] - self._counts[1][0] > _RATE_S:
            self._counts.popleft()

    def rates(self) -> dict[str, float]:
        """Requests per second over the last looks; empty until there are two."""
        if len(self._counts) < 2 or self._counts[-1][0] <= self._counts[0][0]:
            return {}
        (begun, _, before), (now, _, after) = self._counts[0], self._counts[-1]
        return {name: max(0.0, (n - before.get(name, 0)) / (now - begun)) for name, n in after.items()}


class Course:
    """How the primary estimate went in the step under way."""

    def __init__(self) -> None:
        self._estimates: deque[float | None] = deque(maxlen=_MOST)
        self._step = ("", -1)

    def add(self, rollout: Rollout | None, judged: Seen | None) -> None:
        """Remember what a look has seen; another step begins afresh."""
        step = (rollout.id, rollout.step) if rollout else ("", -1)
        if step != self._step:
            self._estimates.clear()
            self._step = step
        if judged is not None and judged.decision is not None:
            primary = next((f for f in judged.decision.findings if f.role == "primary"), None)
            self._estimates.append(primary.estimate if primary else None)

    def estimates(self) -> tuple[float | None, ...]:
        """Oldest first; None where there was none."""
        return tuple(self._estimates)
