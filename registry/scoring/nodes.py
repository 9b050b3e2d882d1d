"""The parts of a compiled scorer: one kernel, or several whose columns are put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.scoring.finish import Finish, normalised, softened

Floats = NDArray[np.float64]


class Node(Protocol):
    """Scores raw rows."""

    def fill(self, raw: Floats, n: int, out: Floats) -> None:
        """Fill out[:n] with the one number that it says of each row."""
        ...

    def columns(self, raw: Floats, n: int) -> Floats:
        """What it says of raw[:n], shape (outputs, n)."""
        ...


@dataclass(frozen=True, slots=True)
class Single:
    """One kernel, one number for each row."""

    kernel: Callable[..., None]
    arguments: tuple[Any, ...]

    def fill(self, raw: Floats, n: int, out: Floats) -> None:
        """Fill out[:n]."""
        self.kernel(raw, n, *self.arguments, out)

    def columns(self, raw: Floats, n: int) -> Floats:
        """Shape (1, n)."""
        out = np.empty((1, n), dtype=np.float64)
        self.kernel(raw, n, *self.arguments, out[0])
        return out


@dataclass(frozen=True, slots=True)
class Mean:
    """The weighted mean of several."""

    members: Sequence[Node]
    weights: Sequence[float]

    def fill(self, raw: Floats, n: int, out: Floats) -> None:
        """Fill out[:n]."""
        out[:n] = told(self.columns(raw, n))

    def columns(self, raw: Floats, n: int) -> Floats:
        """Shape (outputs, n)."""
        return weighted([member.columns(raw, n) for member in self.members], self.weights)


@dataclass(frozen=True, slots=True)
class Classes:
    """One member for each class; their numbers become probabilities."""

    members: Sequence[Node]
    soft: bool

    def fill(self, raw: Floats, n: int, out: Floats) -> None:
        """Fill out[:n] with the probability of the likeliest class."""
        out[:n] = told(self.columns(raw, n))

    def columns(self, raw: Floats, n: int) -> Floats:
        """Shape (classes, n)."""
        found = np.concatenate([member.columns(raw, n) for member in self.members])
        (softened if self.soft else normalised)(found)
        return found


@dataclass(frozen=True, slots=True)
class Finished:
    """Another node, its probabilities corrected."""

    node: Node
    finish: Finish

    def fill(self, raw: Floats, n: int, out: Floats) -> None:
        """Fill out[:n]; of several classes, with the probability of the likeliest."""
        if self.finish.outputs > 1:
            out[:n] = told(self.columns(raw, n))
        else:
            self.node.fill(raw, n, out)
            self.finish.one(out, n)

    def columns(self, raw: Floats, n: int) -> Floats:
        """Shape (outputs, n)."""
        found = self.node.columns(raw, n)
        self.finish(found)
        return found


def told(columns: Floats) -> Floats:
    """The one number that stands for shape (outputs, n): the number itself, or the probability of the likeliest."""
    return columns[0] if len(columns) == 1 else np.asarray(columns.max(axis=0), dtype=np.float64)


def weighted(parts: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Add up in order, so that a row's sum depends on no other row."""
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total += part * weight
    return total
