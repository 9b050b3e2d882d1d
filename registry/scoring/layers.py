"""The file `layers.npz` of an artifact: a multi-layer perceptron with one output."""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from registry.scoring.forest import read_arrays, refused

LAYERS_FILE = "layers.npz"
_TYPES = {"sizes": (np.dtype(np.int64),), "weights": (np.dtype(np.float64),)}


@dataclass(frozen=True, slots=True)
class Layers:
    """
    Weights in the order in which they are used.

    Attributes:
        sizes: Width of each layer, the input's first; the last is 1.
        weights: For each layer its matrix (inputs, outputs), row by row, then its biases.
    """

    sizes: NDArray[np.int64]
    weights: NDArray[np.float64]

    def to_bytes(self) -> bytes:
        """Write as npz without pickle; the same weights give the same bytes."""
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, sizes=self.sizes, weights=self.weights)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, width: int) -> Self:
        """
        Read and check.

        Raises:
            ArtifactRefused: If the sizes do not fit the weights or the *width* of the input.
        """
        layers = cls(**read_arrays(raw, LAYERS_FILE, _TYPES))
        sizes = layers.sizes
        if len(sizes) < 2 or sizes[0] != width or sizes[-1] != 1 or np.any(sizes < 1):
            raise refused(LAYERS_FILE, f"layers of {sizes.tolist()} cannot take {width} columns to one score")
        needed = int(np.sum(sizes[:-1] * sizes[1:] + sizes[1:]))
        if len(layers.weights) != needed or not np.isfinite(layers.weights).all():
            raise refused(LAYERS_FILE, f"{len(layers.weights)} weights, expected {needed} finite ones")
        return layers
