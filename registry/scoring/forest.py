"""The file `forest.npz` of an artifact: decision trees of any origin as plain arrays."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from registry.errors import ArtifactRefused
from registry.scoring.program import Look

FOREST_FILE = "forest.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """
    Trees that go left where what they look at is below a threshold.

    Attributes:
        look_column: Shape (looks,): encoded column.
        look_missing: Shape (looks,): what is seen instead of NaN; plus or minus infinity
            makes missing values go right or left.
        look_tiny, look_zero: Shape (looks,): numbers up to the size of the first are seen as
            the second; -1: none are.
        look_members: Shape (looks,): number of the set whose members are seen as 0, all others
            as 1; -1: there is none.
        set_starts: Shape (sets + 1,): where each set begins in *set_members*.
        set_members: 1 for each code that belongs to a set, 0 for each other.
        look: Shape (nodes,): which look an inner node compares.
        threshold: Shape (nodes,), float32 or float64: the precision of the comparison.
        left, right: Shape (nodes,): children, always of greater number; -1 at leaves.
        value: Shape (nodes,), float32 or float64: what a leaf adds, and the precision of the sum.
        roots: Shape (trees,), ascending: in the order in which trees are added.
    """

    look_column: NDArray[np.int32]
    look_missing: NDArray[np.float64]
    look_tiny: NDArray[np.float64]
    look_zero: NDArray[np.float64]
    look_members: NDArray[np.int32]
    set_starts: NDArray[np.int64]
    set_members: NDArray[np.uint8]
    look: NDArray[np.int32]
    threshold: NDArray[Any]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[Any]
    roots: NDArray[np.int32]

    def to_bytes(self) -> bytes:
        """Write as npz without pickle; the same trees give the same bytes."""
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **{one.name: getattr(self, one.name) for one in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, width: int) -> Self:
        """
        Read and check, so that no kernel ever reads beside its arrays.

        Args:
            raw: As `to_bytes` wrote it.
            width: How many encoded columns there are.

        Raises:
            ArtifactRefused: With everything that is wrong.
        """
        arrays = read_arrays(raw, FOREST_FILE, _TYPES)
        forest = cls(**arrays)
        mistakes = _mistakes(forest, width)
        if mistakes:
            raise refused(FOREST_FILE, "; ".join(mistakes))
        return forest

    def looks(self) -> list[Look]:
        """What the trees look at."""
        return [self._look(number) for number in range(len(self.look_column))]

    def _look(self, number: int) -> Look:
        which, members = int(self.look_members[number]), None
        if which >= 0:
            start, stop = self.set_starts[which : which + 2]
            members = tuple(self.set_members[start:stop].tolist())
        return Look(
            column=int(self.look_column[number]),
            missing=float(self.look_missing[number]),
            tiny=float(self.look_tiny[number]),
            zero=float(self.look_zero[number]),
            members=members,
        )


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_TYPES: dict[str, tuple[np.dtype[Any], ...]] = {
    "look_column": (np.dtype(np.int32),),
    "look_missing": (np.dtype(np.float64),),
    "look_tiny": (np.dtype(np.float64),),
    "look_zero": (np.dtype(np.float64),),
    "look_members": (np.dtype(np.int32),),
    "set_starts": (np.dtype(np.int64),),
    "set_members": (np.dtype(np.uint8),),
    "look": (np.dtype(np.int32),),
    "threshold": _FLOATS,
    "left": (np.dtype(np.int32),),
    "right": (np.dtype(np.int32),),
    "value": _FLOATS,
    "roots": (np.dtype(np.int32),),
}


def read_arrays(raw: bytes, name: str, types: Mapping[str, tuple[np.dtype[Any], ...]]) -> dict[str, NDArray[Any]]:
    """
    Read flat arrays of the expected types from an npz file.

    Raises:
        ArtifactRefused: If it cannot be read, or an array is missing or of another type.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            arrays = {key: file[key] for key in types if key in file.files}
    except Exception as error:  # zipfile, zlib and numpy raise whatever they like on foreign bytes
        raise refused(name, f"it is no readable npz file: {error}") from error
    mistakes = [f"there is no {key}" for key in types if key not in arrays]
    for key, array in arrays.items():
        if array.ndim != 1 or array.dtype not in types[key]:
            mistakes.append(f"{key} is {array.dtype} of {array.ndim} dimensions")
    if mistakes:
        raise refused(name, "; ".join(mistakes))
    return arrays


def refused(name: str, why: str) -> ArtifactRefused:
    """Refuse a file of a scorer."""
    return ArtifactRefused("The scorer was not loaded.", f"{name}: {why}.", "Train the version again.")


def _mistakes(forest: Forest, width: int) -> list[str]:
    nodes, looks, sets = len(forest.look), len(forest.look_column), len(forest.set_starts) - 1
    pairs = [("look", nodes), ("threshold", nodes), ("left", nodes), ("right", nodes), ("value", nodes)]
    pairs += [(name, looks) for name in ("look_missing", "look_tiny", "look_zero", "look_members")]
    mistakes = [
        f"{name} has {len(getattr(forest, name))} entries, not {length}"
        for name, length in pairs
        if len(getattr(forest, name)) != length
    ]
    if mistakes or sets < 0:
        return mistakes or ["set_starts is empty"]
    checks = {
        "a look leaves the encoded columns": _within(forest.look_column, width),
        "a look leaves the sets": _within(forest.look_members[forest.look_members >= 0], sets),
        "set_starts do not ascend": _ascending(forest.set_starts, len(forest.set_members)),
        "there is no tree": len(forest.roots) > 0,
        "a root is no node": _within(forest.roots, nodes),
        **_tree_checks(forest, looks),
    }
    return [what for what, fine in checks.items() if not fine]


def _tree_checks(forest: Forest, looks: int) -> dict[str, bool]:
    inner = forest.left >= 0
    numbers, nodes = np.flatnonzero(inner), len(forest.look)
    left, right = forest.left[inner], forest.right[inner]
    onward = bool(np.all(left > numbers) and np.all(right > numbers))
    return {
        "a node looks at nothing": _within(forest.look[inner], looks),
        "a child is no node": _within(left, nodes) and _within(right, nodes),
        "a child comes before its parent": onward,
        "a leaf has a child": bool(np.all(forest.right[~inner] < 0)),
        "a threshold is not a number": not bool(np.isnan(forest.threshold[inner]).any()),
        "a leaf is not finite": bool(np.isfinite(forest.value[~inner]).all()),
    }


def _within(numbers: NDArray[Any], bound: int) -> bool:
    return bool(np.all((numbers >= 0) & (numbers < bound)))


def _ascending(starts: NDArray[np.int64], last: int) -> bool:
    return bool(starts[0] == 0 and starts[-1] == last and np.all(np.diff(starts) >= 0))
