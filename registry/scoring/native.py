"""Scores of a native XGBoost model: for artifacts that hold no arrays of its trees."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.errors import ArtifactRefused
from registry.scoring.encoder import Encoder


class Booster:
    """
    Score by `inplace_predict`.

    Args:
        encoder: Makes the columns that the model was fitted on.
        raw: The model in UBJ.

    Raises:
        ArtifactRefused: If it cannot be read.
    """

    def __init__(self, encoder: Encoder, raw: bytes) -> None:
        self._encoder = encoder
        self._booster, self._range = _load_booster(raw)

    def score(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Score each row; shape (n,)."""
        encoded = self._encoder.matrix(rows).astype(np.float32)
        scores = self._booster.inplace_predict(
            encoded, iteration_range=self._range, missing=np.nan, validate_features=False
        )
        return np.asarray(scores, dtype=np.float64)


def _load_booster(raw: bytes) -> tuple[Any, tuple[int, int]]:
    """Load once, for one thread; trees after the best iteration of early stopping stay unused."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads must not burn the neighbours' time
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import xgboost

    try:
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        why = f"The booster is unreadable: {str(error).splitlines()[0]}."
        raise ArtifactRefused("The scorer was not loaded.", why, "Train the version again.") from error
    booster.set_param({"nthread": 1})
    best = booster.attr("best_iteration")
    return booster, (0, 0 if best is None else int(best) + 1)
