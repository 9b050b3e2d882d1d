"""Same rows, scored by both: what an offline comparison rests on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import binary, finite, numbered, probabilities
from registry.records.policy import PromotionPolicy
from registry.records.version import Task

Floats = NDArray[np.float64]
Texts = tuple[str, ...]
LABELS: Mapping[Task, Callable[[str, ArrayLike], Floats]] = {
    "binary": binary,
    "multiclass": numbered,
    "regression": finite,
}
"""What labels of a task must be."""
NOBODY = "\0"
"""Begins the key of a row that has none, and is a unit of its own."""


def key_texts(keys: Sequence[object]) -> Texts:
    r"""
    Keys as texts; a row without one (None, NaN) is a unit of its own.

    Example:
        >>> key_texts(["anna", None, 7, None])
        ('anna', '\x001', '7', '\x003')
    """
    return tuple(f"{NOBODY}{i}" if key is None or key != key else str(key) for i, key in enumerate(keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """
    One entry per row, the same rows in the same order for both models.

    Attributes:
        labels: Shape (n,), 0/1, numbers of classes or values.
        champion, challenger: Shape (n,), scores; or (n, k), probabilities of several classes.
        times: Epoch seconds.
        keys: Whom a row is about; rows of one key are not independent.
        segments: Level per row, by name of the segment.
        kpis: Value per row of (champion, challenger), by name.
    """

    labels: Floats
    champion: Floats
    challenger: Floats
    times: Floats | None = None
    keys: Texts | None = None
    segments: Mapping[str, Texts] = field(default_factory=dict)
    kpis: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many rows."""
        return int(self.labels.size)

    @property
    def repeated(self) -> bool:
        """Whether some key has more than one row."""
        return self.keys is not None and len(set(self.keys)) < len(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutCase:
    """
    Everything that a decision on a holdout rests on.

    Attributes:
        left_out: Held-out rows that were not compared because the champion has learned from them.
        identities: Digests and versions of data, models and code.
    """

    model: str
    champion: str
    challenger: str
    task: Task
    policy: PromotionPolicy
    decision_id: str
    at: datetime
    rows: PairedRows
    left_out: int = 0
    identities: Mapping[str, str] = field(default_factory=dict)


def paired_rows(
    task: Task,
    labels: ArrayLike,
    champion_scores: ArrayLike,
    challenger_scores: ArrayLike,
    *,
    times: ArrayLike | None = None,
    keys: Sequence[object] | None = None,
    segments: Mapping[str, Sequence[object]] | None = None,
    kpis: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
) -> PairedRows:
    """
    Check and put together.

    Raises:
        ValueError: With all that is wrong: lengths that differ, numbers that are not finite,
            labels that are not 0 and 1 or no numbers of classes.
    """
    check = _Checks()
    rows = PairedRows(
        labels=check.array("labels", labels, LABELS[task]),
        champion=check.scores("champion_scores", champion_scores, task),
        challenger=check.scores("challenger_scores", challenger_scores, task),
        times=None if times is None else check.array("times", times),
        keys=None if keys is None else check.keys("keys", keys),
        segments={name: check.texts(f"segment {name}", levels) for name, levels in (segments or {}).items()},
        kpis={
            name: (check.array(f"{name} of the champion", ours), check.array(f"{name} of the challenger", theirs))
            for name, (ours, theirs) in (kpis or {}).items()
        },
    )
    check.done()
    return rows


class _Checks:
    """Collects all mistakes before refusing."""

    def __init__(self) -> None:
        self._mistakes: list[str] = []
        self._sizes: dict[str, int] = {}

    def array(self, name: str, values: ArrayLike, check: object = finite) -> Floats:
        self._sizes[name] = int(np.size(np.asarray(values)))
        return self._values(name, values, check)

    def _values(self, name: str, values: ArrayLike, check: object) -> Floats:
        assert callable(check)
        try:
            return check(name, values)  # type: ignore[no-any-return]
        except ValueError as refused:
            self._mistakes.append(str(refused))
            return np.zeros(0)

    def scores(self, name: str, values: ArrayLike, task: Task) -> Floats:
        """One number per row, or of several classes one per row and class."""
        if task != "multiclass":
            return self.array(name, values)
        table = np.asarray(values, dtype=np.float64)
        self._sizes[name] = len(table) if table.ndim else 0
        if table.ndim != 2:
            self._mistakes.append(f"{name} has {table.ndim} dimensions; give two, one probability per row and class")
            return np.zeros((0, 0))
        self._values(f"probabilities of {name}", table.ravel(), probabilities)
        return table

    def texts(self, name: str, values: Sequence[object]) -> Texts:
        self._sizes[name] = len(values)
        return tuple("" if value is None else str(value) for value in values)

    def keys(self, name: str, values: Sequence[object]) -> Texts:
        self._sizes[name] = len(values)
        return key_texts(values)

    def done(self) -> None:
        if len(set(self._sizes.values())) > 1:
            shown = ", ".join(f"{name}: {size}" for name, size in self._sizes.items())
            self._mistakes.append(f"lengths differ ({shown}); give the same rows to both")
        if self._mistakes:
            raise ValueError("; ".join(self._mistakes))
