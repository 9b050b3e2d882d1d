"""A variant whose compiled scorer is called in the turn itself."""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from registry.records.plan import CHAMPION
from registry.records.version import Feature
from router.hot.asking import Buffer
from router.models import Loaded

CAPACITY: Final = 512
"""Most rows that are scored in one call."""
MOST_US: Final = 5_000.0
"""Longest time of one call: meanwhile nobody else is answered."""
MOST_US_PER_ROW: Final = 50.0
"""A challenger that takes longer is asked in a thread of its own: callers of the champion do not wait for it."""
_GREATEST: Final = sys.float_info.max


class Compiled(Protocol):
    """What the short path needs of a compiled scorer."""

    features: tuple[str, ...]
    levels: tuple[Any, ...]
    us_per_row: float

    def scores(self, raw: Any, n: int, out: Any) -> None:
        """Fill out[:n] from raw[:n]."""


class Arm:
    """
    Scores rows of one variant.

    Attributes:
        most: Rows of one call.
    """

    def __init__(self, loaded: Loaded, compiled: Compiled) -> None:
        self.most = max(1, min(CAPACITY, int(MOST_US / max(compiled.us_per_row, 0.001))))
        spec = loaded.scorer.spec  # type: ignore[attr-defined]  # compiled ones have one
        self.decided_as, self.threshold = spec.task, spec.threshold
        self._least, self._greatest = (0.0, 1.0) if loaded.version.task == "binary" else (-_GREATEST, _GREATEST)
        self._compiled, self._buffer = compiled, Buffer(compiled.levels, self.most)
        self._out = np.empty(self.most, dtype=np.float64)

    def score(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[float], float]:
        """Scores of up to `most` rows, given as their values, and the milliseconds they took."""
        n = len(rows)
        self._buffer.fill(rows)
        began = time.perf_counter()
        self._compiled.scores(self._buffer.raw, n, self._out)
        spent = (time.perf_counter() - began) * 1000
        return self._out[:n].tolist(), spent

    def unfit(self, scores: Sequence[float]) -> list[int]:
        """Places of scores that cannot be told to anybody; who is right, the long path finds out."""
        least, greatest = self._least, self._greatest
        return [place for place, score in enumerate(scores) if not least <= score <= greatest]


def arm_of(loaded: Loaded, features: Sequence[Feature], *, variant: str, deadline_ms: float = math.inf) -> Arm | None:
    """
    The arm of a version, if it can be asked in the turn.

    Args:
        features: Of the champion, which are those of the requests.
        deadline_ms: A whole call of a challenger must stay far below it.
    """
    compiled: Compiled | None = getattr(loaded.scorer, "compiled", None)
    if compiled is None or loaded.version.task == "multiclass" or not _takes(compiled, features):
        return None
    if variant == CHAMPION:
        return Arm(loaded, compiled) if compiled.us_per_row <= MOST_US else None
    kinds = [(feature.name, feature.kind) for feature in features]
    if kinds != [(feature.name, feature.kind) for feature in loaded.version.features]:
        return None
    arm = Arm(loaded, compiled)
    quick = compiled.us_per_row <= MOST_US_PER_ROW and compiled.us_per_row * arm.most / 1000 <= deadline_ms / 2
    return arm if quick else None


def _takes(compiled: Compiled, features: Sequence[Feature]) -> bool:
    """Whether the scorer was compiled for exactly these features, numbers as numbers and levels as levels."""
    takes = [(name, levels is None) for name, levels in zip(compiled.features, compiled.levels, strict=True)]
    return takes == [(feature.name, feature.kind != "categorical") for feature in features]
