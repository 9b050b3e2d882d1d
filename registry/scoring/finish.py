"""What becomes of the numbers that models say: calibrated, and shares of one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.scoring.cache import prepare
from registry.scoring.spec import Calibration

Floats = NDArray[np.float64]


class Finish:
    """
    Corrects probabilities by the calibrations of a spec; compiled scorers and all others by the same code.

    Args:
        calibration: None at all, one, or one for each class.

    Attributes:
        outputs: How many probabilities there are of each row.
    """

    def __init__(self, calibration: Sequence[Calibration], outputs: int) -> None:
        self.outputs = outputs
        self._steps = [_step(one) for one in calibration]
        for kernel, arguments in self._steps:
            prepare(kernel, np.zeros(1), 1, *arguments)
        if self._steps and outputs > 1:
            ready(outputs)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._steps)

    def __call__(self, columns: Floats) -> None:
        """Correct probabilities of shape (outputs, rows) in place."""
        for (kernel, arguments), column in zip(self._steps, columns, strict=False):
            kernel(column, len(column), *arguments)
        if self._steps and self.outputs > 1:
            normalised(columns)

    def one(self, scores: Floats, n: int) -> None:
        """Correct scores[:n] in place, where there is one output."""
        for kernel, arguments in self._steps:
            kernel(scores, n, *arguments)


def ready(classes: int) -> None:
    """Compile what makes several classes add up to 1, or take it from the cache."""
    from registry.scoring import kernels

    for kernel in (kernels.softmax, kernels.shares):
        prepare(kernel, np.zeros((classes, 1)))


def softened(columns: Floats) -> None:
    """Softmax of shape (classes, rows), in place."""
    from registry.scoring import kernels

    kernels.softmax(columns)


def normalised(columns: Floats) -> None:
    """Make classes add up to 1; shape (classes, rows), in place."""
    from registry.scoring import kernels

    kernels.shares(columns)


def _step(one: Calibration) -> tuple[Any, tuple[Any, ...]]:
    from registry.scoring import kernels  # numba is loaded by those who score only

    if one.kind == "sigmoid":
        return kernels.sigmoid, (one.slope, one.intercept)
    return kernels.isotonic, (np.array(one.x, dtype=np.float64), np.array(one.y, dtype=np.float64))
