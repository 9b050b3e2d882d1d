"""Registered versions score tables: by their own files, or by the server that they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.errors import DataError
from registry.artifacts import ArtifactStore
from registry.records.version import ModelVersion
from registry.upstream.scoring import offline_scorer

Rows = Sequence[Mapping[str, Any]]


class TableScorer:
    """
    One version, asked about tables; what it says can be compared.

    Args:
        version: Local or remote.
        artifacts: Where its files are.

    Raises:
        ArtifactRefused: If the files are altered or make no scorer, or a secret of its headers is not set here.
    """

    def __init__(self, version: ModelVersion, artifacts: ArtifactStore) -> None:
        files = artifacts.load(version.model, version.version, version.artifact_digest)
        self._version, self._scorer = version, offline_scorer(version, files)

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """
        Score every row; shape (n,), of several classes their probabilities, shape (n, k).

        Raises:
            DataError: If a score is not finite, or no probability where one is meant.
            RegistryError: If it is a server, and gives no scores.
        """
        scores = self._said(rows)
        wrong = ~np.isfinite(scores)
        if self._version.task != "regression":
            wrong |= (scores < 0) | (scores > 1)
        if wrong.any():
            raise self._unusable(scores, wrong)
        return scores

    def predictions(self, scores: NDArray[np.float64]) -> list[int | float]:
        """Decide as for callers: 1 at or above its threshold (binary), the number of a class, or the score itself."""
        if self._version.task == "multiclass":
            return [int(number) for number in scores.argmax(axis=1)]
        return self._scorer.predictions(scores)

    def _said(self, rows: Rows) -> NDArray[np.float64]:
        several = self._version.task == "multiclass"
        return self._scorer.probabilities(rows) if several else self._scorer.score(rows)

    def _unusable(self, scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> DataError:
        place, count = tuple(np.argwhere(wrong)[0]), len(np.unique(np.argwhere(wrong)[:, 0]))
        name = f"{self._version.model} {self._version.version}"
        expected = "a finite number" if self._version.task == "regression" else "a probability between 0 and 1"
        return DataError(
            f"{name} was not compared.",
            f"It says {scores[place]} of row {place[0]}, expected {expected}; {count} of {len(scores)} are so.",
            "Leave such rows out, or mend the version; callers are answered by the champion, or with an error.",
        )
