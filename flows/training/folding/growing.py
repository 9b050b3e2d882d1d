"""Collect the trees of any library into one forest."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from registry.scoring.forest import Forest
from registry.scoring.program import Look


class Growing:
    """
    A forest in the making.

    Args:
        threshold: Precision of the comparison.
        value: Precision of the sum.
    """

    def __init__(self, threshold: Literal["f4", "f8"], value: Literal["f4", "f8"]) -> None:
        self._types = {"look": "i4", "threshold": threshold, "left": "i4", "right": "i4", "value": value}
        self._looks: dict[Look, int] = {}
        self._trees: list[dict[str, NDArray[Any]]] = []
        self._roots: list[int] = []
        self._nodes = 0

    def look(self, look: Look) -> int:
        """Number a way to look; equal ones have one number."""
        return self._looks.setdefault(look, len(self._looks))

    def directed(
        self, columns: NDArray[Any], left: NDArray[Any], inner: NDArray[Any], *, zero_is_missing: bool = False
    ) -> NDArray[np.int64]:
        """Number looks at *columns* that send missing values left or right; 0 where not *inner*."""
        found = np.zeros(len(columns), dtype=np.int64)
        pairs = np.stack([columns[inner], left[inner]], axis=1).astype(np.int64)
        if len(pairs):
            unique, places = np.unique(pairs, axis=0, return_inverse=True)
            tiny = 0.0 if zero_is_missing else -1.0
            sides = [(int(column), -np.inf if to_left else np.inf) for column, to_left in unique]
            numbers = [self.look(Look(column, side, tiny, side)) for column, side in sides]
            found[inner] = np.array(numbers)[places.ravel()]
        return found

    def add(
        self, *, look: ArrayLike, threshold: ArrayLike, left: ArrayLike, right: ArrayLike, value: ArrayLike
    ) -> None:
        """
        Add one tree, its root first.

        Args:
            look, threshold, value: One per node.
            left, right: Children within the tree; negative at leaves.
        """
        lefts, rights = np.asarray(left), np.asarray(right)
        leaf = lefts < 0
        parts = {
            "look": np.where(leaf, 0, look),
            "threshold": np.where(leaf, 0, threshold),
            "left": np.where(leaf, -1, lefts + self._nodes),
            "right": np.where(leaf, -1, rights + self._nodes),
            "value": np.where(leaf, value, 0),
        }
        self._roots.append(self._nodes)
        self._nodes += len(lefts)
        self._trees.append({name: part.astype(self._types[name]) for name, part in parts.items()})

    def forest(self) -> Forest:
        """Join the trees."""
        looks = list(self._looks)
        sets = {members: number for number, members in enumerate(dict.fromkeys(_sets(looks)))}
        return Forest(
            look_column=np.array([look.column for look in looks], dtype=np.int32),
            look_missing=np.array([look.missing for look in looks], dtype=np.float64),
            look_tiny=np.array([look.tiny for look in looks], dtype=np.float64),
            look_zero=np.array([look.zero for look in looks], dtype=np.float64),
            look_members=np.array([_set(look, sets) for look in looks], dtype=np.int32),
            set_starts=np.cumsum([0, *map(len, sets)], dtype=np.int64),
            set_members=np.array([member for one in sets for member in one], dtype=np.uint8),
            roots=np.array(self._roots, dtype=np.int32),
            **{name: np.concatenate([tree[name] for tree in self._trees]) for name in self._types},
        )


def _sets(looks: list[Look]) -> list[tuple[int, ...]]:
    return [look.members for look in looks if look.members is not None]


def _set(look: Look, sets: dict[tuple[int, ...], int]) -> int:
    return -1 if look.members is None else sets[look.members]
