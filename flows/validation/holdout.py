"""The rows that a version is asked about, and what is known of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """
    Newest rows, in time order.

    Attributes:
        frame: n rows with a column per feature, as `flows.data.prepare` makes them; further columns are ignored.
        labels: Shape (n,); None if they are not known.
        expected: What the fitted pipeline says of these rows, and the router must repeat: shape (n,), or (n, k) for
            the probabilities of k classes. None if nobody has asked it.
        challenger: Scores that were made without having learned from these rows, by which slices are judged. None:
            those that the router gives, which is fair only if the version has not seen these rows.
        champion: The champion's scores; None if there is no champion.
        unseen: How many rows, counted from the newest, the champion has not learned from; None: all.

    Raises:
        ValueError: If an array is about another number of rows than the frame.
    """

    frame: pl.DataFrame
    labels: NDArray[np.float64] | None = None
    expected: Scores | None = None
    challenger: Scores | None = None
    champion: Scores | None = None
    unseen: int | None = None

    def __post_init__(self) -> None:
        arrays = {name: getattr(self, name) for name in ("labels", "expected", "challenger", "champion")}
        wrong = [f"{name} has {len(a)}" for name, a in arrays.items() if a is not None and len(a) != self.rows]
        if wrong:
            raise ValueError(f"The frame has {self.rows} rows, but {'; '.join(wrong)}.")

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.frame.height

    def newest(self, count: int) -> "HeldOut":
        """Cut off older rows."""
        return self if count >= self.rows else self._cut(count)

    def fair(self) -> "HeldOut":
        """Rows on which challenger and champion may be compared."""
        return self if self.unseen is None else self.newest(self.unseen)

    def _cut(self, count: int) -> "HeldOut":
        def tail(values: Any) -> Any:
            return None if values is None else values[self.rows - count :]

        return HeldOut(
            frame=self.frame.tail(count),
            labels=tail(self.labels),
            expected=tail(self.expected),
            challenger=tail(self.challenger),
            champion=tail(self.champion),
            unseen=None if self.unseen is None else min(self.unseen, count),
        )
