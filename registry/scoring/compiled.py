"""A scorer as machine code: raw numbers in, scores out, no Python for any row."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.scoring.cache import prepare
from registry.scoring.finish import Finish, ready
from registry.scoring.forest import Forest
from registry.scoring.layers import Layers
from registry.scoring.layout import lay_out
from registry.scoring.nodes import Classes, Finished, Mean, Node, Single
from registry.scoring.program import Levels, make_program, plain_looks, raw_levels
from registry.scoring.spec import ScorerSpec

Arrays = Forest | Layers

LINKS = {"identity": 0, "logistic": 1, "exponential": 2}
UNITS = {"identity": 0, "relu": 1, "tanh": 2, "logistic": 3}
_FLOAT = np.dtype(np.float64)
REHEARSED = 16  # rows with which a new scorer is timed


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    Immutable, and may be shared by threads; it lets other threads run while it scores.

    Attributes:
        features: Names, in the order of the raw columns.
        levels: Of each feature: None for a number, else the code of each level. The code
            len(levels) is any other level, NaN is missing; so it is for numbers.
        outputs: Numbers that it says of each row: one, or one for each class.
        us_per_row: Microseconds per row in a batch of 16, measured when it was made.
    """

    features: tuple[str, ...]
    levels: tuple[Mapping[str, int] | None, ...]
    outputs: int
    us_per_row: float
    node: Node

    def scores(self, raw: NDArray[np.float64], n: int, out: NDArray[np.float64]) -> None:
        """
        Fill out[:n]: the score, or the probability of the likeliest of several classes.

        Args:
            raw: Shape (capacity, len(features)), row after row in memory, writable; raw[:n] is read.
            n: From 0 to capacity.
            out: Shape (capacity,).

        Raises:
            ValueError: If *n* rows do not fit, or an array is of another kind than the code
                was compiled for: compiling it again would take a second.
        """
        self._refuse(raw, n, out)
        self.node.fill(raw, n, out)

    def probabilities(self, raw: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """
        What it says of raw[:n], shape (n, outputs); raises like `scores`.

        Args:
            raw: As for `scores`.
            n: From 0 to capacity.
        """
        self._refuse(raw, n, raw)
        return self.node.columns(raw, n).T

    def _refuse(self, raw: NDArray[np.float64], n: int, out: NDArray[np.float64]) -> None:
        if not (raw.flags.carray and out.flags.carray and raw.dtype == out.dtype == _FLOAT):
            raise ValueError(
                f"raw ({raw.dtype}) and out ({out.dtype}) must be writable float64, row after row in memory"
            )
        if not (0 <= n <= len(raw) and n <= len(out) and raw.shape[1] == len(self.features)):
            raise ValueError(f"{n} rows do not fit: raw is {raw.shape}, out {out.shape}, features {len(self.features)}")


def compile_scorer(spec: ScorerSpec, arrays: Mapping[str, Arrays]) -> Compiled:
    """
    Make the machine code for *spec*, or take it from the cache, and run it once.

    Args:
        spec: How features become a score.
        arrays: Trees and layers by the names of their files, checked.
    """
    levels = raw_levels(spec)
    node = _node(spec, levels, arrays)
    rehearsed = _rehearse(node, len(levels))
    return Compiled(tuple(levels), tuple(levels.values()), spec.outputs, rehearsed, node)


def _node(spec: ScorerSpec, levels: Levels, arrays: Mapping[str, Arrays]) -> Node:
    plain = _members(spec, levels, arrays) if spec.members else _single(spec, levels, arrays)
    finish = Finish(spec.calibration, spec.outputs)
    return Finished(plain, finish) if finish else plain


def _members(spec: ScorerSpec, levels: Levels, arrays: Mapping[str, Arrays]) -> Node:
    members = [_node(member, levels, arrays) for member in spec.members]
    if spec.kind == "ensemble":
        return Mean(members, spec.weights)
    ready(len(members))
    return Classes(members, spec.linked == "softmax")


def _single(spec: ScorerSpec, levels: Levels, arrays: Mapping[str, Arrays]) -> Single:
    model = None if spec.arrays is None else arrays[spec.arrays]
    program = make_program(spec, model.looks() if isinstance(model, Forest) else plain_looks(spec), levels)
    kernel, arguments = _kernel(spec, model)
    everything = (program.slots, program.tables, *arguments)
    prepare(kernel, np.zeros((1, len(levels))), 1, *everything, np.empty(1))
    return Single(kernel, everything)


def _kernel(spec: ScorerSpec, model: Arrays | None) -> tuple[Callable[..., None], tuple[Any, ...]]:
    from registry.scoring import kernels  # numba is loaded by those who score only

    link = LINKS[spec.linked]
    if isinstance(model, Forest):
        found = lay_out(model)
        kernel = kernels.padded_trees if found.kind == "padded" else kernels.linked_trees
        ends = np.array([spec.intercept, spec.divisor, spec.slope, 1.0], dtype=found.leaves.dtype)
        return kernel, (found.trees, found.nodes, found.leaves, ends, link)
    if isinstance(model, Layers):
        return kernels.layers, (model.sizes, model.weights, UNITS[spec.activation], link)
    return kernels.linear, (np.array(spec.coefficients, dtype=np.float64), spec.intercept, link)


def _rehearse(node: Node, width: int) -> float:
    """Run once, then time batches of rows that it has not seen; microseconds per row."""
    batches = np.random.default_rng(0).normal(scale=100.0, size=(4, REHEARSED, width))
    out = np.empty(REHEARSED, dtype=np.float64)
    node.fill(batches[0], REHEARSED, out)
    spent = []
    for raw in batches[1:]:
        started = time.perf_counter()
        node.fill(raw, REHEARSED, out)
        spent.append(time.perf_counter() - started)
    return median(spent) / REHEARSED * 1e6
