"""Score many rows by an upstream where somebody can wait: comparisons and trainings, never callers."""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.errors import RegistryError
from registry.records.upstream import UPSTREAM_FILE, Upstream
from registry.records.version import ModelVersion
from registry.scoring.scorer import Scorer
from registry.upstream.caller import Caller
from registry.upstream.failed import UpstreamFailed
from registry.upstream.mapping import Mapper, Rows

MOST_ROWS: Final = 500
PATIENCE_MS: Final = 30_000.0


class OfflineScorer:
    """
    Asks the upstream of a version about tables of rows.

    Args:
        version: Names the features.
        upstream: Where and how.
        environ: Where secrets of headers are looked up.
    """

    def __init__(self, version: ModelVersion, upstream: Upstream, environ: Mapping[str, str] = os.environ) -> None:
        mapper = Mapper(upstream, version.features)
        self._url, self._caller = mapper.url, Caller(upstream, mapper, environ)
        self._task, self._threshold = version.task, upstream.threshold

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """
        Ask in parts, one after the other.

        Returns:
            Shape (n,).

        Raises:
            RegistryError: If any part gets no scores within 30 s.
        """
        try:
            return np.array(asyncio.run(self._all(rows)), dtype=np.float64)
        except UpstreamFailed as failed:
            raise RegistryError(
                f"{self._url} gave no scores.", f"It was asked about {len(rows)} rows, and {failed}.", "Start it."
            ) from failed

    def probabilities(self, rows: Rows) -> NDArray[np.float64]:
        """
        Of several classes, which no server is asked for: it answers with one number per row.

        Raises:
            RegistryError: Always.
        """
        raise RegistryError(
            f"{self._url} gave no probabilities.",
            f"A server answers with one number per row, and {len(rows)} rows need one per class.",
            "Compare versions whose files are here.",
        )

    def predictions(self, scores: NDArray[np.float64]) -> list[int | float]:
        """Decide: 1 at or above the threshold, else 0 (binary); the score itself (regression)."""
        if self._task == "regression":
            return [float(score) for score in scores]
        return [int(score >= self._threshold) for score in scores]

    async def _all(self, rows: Rows) -> list[float]:
        scores: list[float] = []
        try:
            for start in range(0, len(rows), MOST_ROWS):
                part = rows[start : start + MOST_ROWS]
                scores += await self._caller.ask(part, deadline_ms=PATIENCE_MS, retry=True)
        finally:
            await self._caller.close()
        return scores


def offline_scorer(version: ModelVersion, files: Mapping[str, bytes]) -> Scorer | OfflineScorer:
    """
    Make what scores tables of a version, local or remote.

    Args:
        version: Whose artifact it is.
        files: As `ArtifactStore.load` returns them.

    Raises:
        ArtifactRefused: If they make no scorer, or a secret is not in the environment.
    """
    if UPSTREAM_FILE in files:
        return OfflineScorer(version, Upstream.from_json(files[UPSTREAM_FILE]))
    return Scorer.of(files)
