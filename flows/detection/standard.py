"""What a version is held against, beside the profile of its columns; kept with it, without a single row of features."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.detection.joint.profile import JointProfile, joint_profile
from flows.detection.season.learn import season_profile
from flows.detection.season.profile import SeasonProfile
from flows.detection.univariate.profile import ReferenceProfile
from registry.artifacts import ArtifactStore
from registry.records.base import Record
from registry.records.version import ModelVersion

REFERENCE_FILE, STANDARD_FILE = "reference.json", "standard.json"
MOST_SCORED = 5000
_DIGITS = 6


class Standard(Record, frozen=True, kw_only=True):
    """
    All that later looks compare with.

    Attributes:
        season: What the columns look like in the course of day, week and year.
        joint: How they go together.
        importance: Share of each feature in the predictions; empty if not known.
        times, scores, labels: Of the newest 5,000 rows of the holdout, which the scored model had not learned from;
            epoch seconds, probability or value, label.
    """

    season: SeasonProfile | None = None
    joint: JointProfile | None = None
    importance: dict[str, float] = {}
    times: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()

    def holdout(self) -> pl.DataFrame | None:
        """Rows of `_time`, `_score` and `_label`; None if none were kept."""
        if not self.scores:
            return None
        columns = {"_time": self.times, "_score": self.scores, "_label": self.labels}
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))


class Kept(NamedTuple):
    """All that a version keeps to be held against."""

    reference: ReferenceProfile
    standard: Standard


def read_kept(artifacts: ArtifactStore, version: ModelVersion) -> Kept:
    """
    Read it from the version's artifact; one that was published without a standard has an empty one.

    Raises:
        ArtifactRefused: If the artifact was altered, or has no reference profile.
    """
    files = artifacts.load(version.model, version.version, version.artifact_digest)
    raw = files.get(REFERENCE_FILE) or artifacts.read(
        version.model, version.version, REFERENCE_FILE, version.artifact_digest
    )
    kept = files.get(STANDARD_FILE)
    return Kept(ReferenceProfile.from_json(raw), Standard.from_json(kept) if kept else Standard())


def standard_of(
    config: ModelConfig,
    rows: pl.DataFrame,
    holdout: Mapping[str, NDArray[np.float64]],
    importance: Mapping[str, float],
    seed: int,
) -> Standard:
    """
    Learn from the rows that a version was made from.

    Args:
        config: Names the features.
        rows: Features and `_time`.
        holdout: times, scores and labels of the holdout, each of shape (n,), in time order.
        importance: Share of each feature.
        seed: Of the rows drawn for the joint profile.
    """
    times, scores, labels = (holdout[name][-MOST_SCORED:] for name in ("times", "scores", "labels"))
    return Standard(
        season=season_profile(rows, config),
        joint=joint_profile(rows.select(config.features.compared), config.detection.joint, seed),
        importance={name: _rounded(share) for name, share in importance.items()},
        times=tuple(int(time) for time in times),
        scores=tuple(map(_rounded, scores.tolist())),
        labels=tuple(map(_rounded, labels.tolist())),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
