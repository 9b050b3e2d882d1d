"""What every room of detection says to the decision: metrics for the rules, and signals with their words."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Literal

import msgspec

from registry.records.base import Record

Kind = Literal["data", "concept", "performance", "estimate", "age", "volume", "schedule", "manual", "emergency"]


class Signal(Record, frozen=True, kw_only=True):
    """
    One thing that was seen, and how far it can be trusted.

    Attributes:
        name: Short and stable, e.g. "recoverable loss".
        kind: `concept`: what a refit would win back, or a change of the errors over time, from labels.
            `performance`: loss against the champion's baseline, from labels. `estimate`: the same without labels.
            `data`: inputs or scores have another distribution; its harm is the exposure, see `mapping.exposure`.
            The others speak of no loss at all.
        strength: 0 to 1, for ranking only; 1 is the most that this kind can show.
        doubt: Corrected p-value, or posterior probability, that there is nothing; None if it cannot be said.
        harm: Estimated rise of the loss in shares of the baseline loss (.15 is 15 % more); None if it cannot be said.
        harm_error: Standard error of that estimate, without doubts about the method itself.
        features: Columns behind it, most guilty first.
        words: One sentence for people.
    """

    name: str
    kind: Kind
    strength: float = 0.0
    doubt: float | None = None
    harm: float | None = None
    harm_error: float | None = None
    features: tuple[str, ...] = ()
    words: str = ""

    @property
    def measured(self) -> bool:
        """It came from labels."""
        return self.kind in ("concept", "performance")


class Drifted(Record, frozen=True, kw_only=True):
    """
    One feature that drifted.

    Attributes:
        size: How far: the largest of D or V, and the change of the share of missing values; 0 to 1.
        words: What was seen.
    """

    name: str
    size: float
    words: str = ""


class Evidence(Record, frozen=True, kw_only=True):
    """
    All that is known at one look.

    Attributes:
        metrics: What rules may name; None for what is not known.
        signals: In any order.
        drifted: Features that drifted, in any order.
        importance: Share of each feature in the champion's predictions, see `fusion.importance`; empty if not known.
    """

    metrics: dict[str, float | None] = {}
    signals: tuple[Signal, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    importance: dict[str, float] = {}

    def plus(
        self,
        *signals: Signal,
        metrics: Mapping[str, float | None] | None = None,
        drifted: Iterable[Drifted] = (),
    ) -> "Evidence":
        """The same with more; a metric that was there is replaced."""
        return msgspec.structs.replace(
            self,
            metrics={**self.metrics, **(metrics or {})},
            signals=(*self.signals, *signals),
            drifted=(*self.drifted, *drifted),
        )


def usable(value: float | None) -> float | None:
    """The value, or None where it is no finite number."""
    return value if value is not None and isfinite(value) else None
