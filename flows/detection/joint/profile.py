"""What is kept of a reference to look for joint drift later: no rows, some 30 kilobytes for 50 columns."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from flows.config.detection.joint import Joint
from flows.detection.joint.correlations import Correlations, correlations
from flows.detection.joint.encoding import Encoded, Floats, JointColumn, chosen, encoded
from flows.detection.joint.reconstruction import Expected, expected
from flows.detection.joint.scores import score_names, scores
from registry.records.base import Record

_FINE, _COARSE = 32_767, 1000
_CELLS, _LEAST_DRAWN = 5_000_000, 2000


class JointProfile(Record, frozen=True, kw_only=True):
    """
    A reference's dependence between columns.

    Attributes:
        rows: Of the reference; used: rows that the figures are taken from.
        columns: Those that can be looked at.
        left_out: Why the others cannot.
        correlations: Upper triangle of the scores' correlations, little-endian int16, in 1/32767.
        variances: Of the Fisher-transformed correlations times the rows, uint16, in 1/1000.
        expected: Reconstruction error; None with fewer than two scores.
    """

    rows: int
    used: int
    columns: tuple[JointColumn, ...]
    left_out: dict[str, str] = {}
    correlations: bytes = b""
    variances: bytes = b""
    expected: Expected | None = None

    def unpacked(self) -> Correlations:
        """Correlations as they were, to 1/65534."""
        names = score_names(self.columns)
        present = {one.name: one.present for one in self.columns}
        share = np.array([present[column] for column, _ in names])
        values = _square(np.frombuffer(self.correlations, "<i2") / _FINE, len(names))
        variances = _square(np.frombuffer(self.variances, "<u2") / _COARSE, len(names))
        return Correlations(values, variances, self.used * np.outer(share, share))


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that were taken of a table, and their profile."""

    rows: Encoded
    profile: JointProfile


def joint_profile(reference: pl.DataFrame, config: Joint, seed: int = 0) -> JointProfile:
    """
    Keep what a later look needs.

    Args:
        reference: The features, typed; columns that are neither numbers nor levels are left out.
        config: How many rows, levels and components.
        seed: Of the rows drawn.
    """
    return sampled(reference, config, seed).profile


def sampled(reference: pl.DataFrame, config: Joint, seed: int) -> Sample:
    """Draw rows and profile them."""
    rng = np.random.default_rng([seed, 1])
    drawn = draw(reference, affordable(config.rows, reference.width), rng)
    columns, left_out = chosen(drawn, config.levels)
    rows = encoded(drawn, columns)
    return Sample(rows, _profile(reference.height, rows, columns, left_out, config, rng))


def affordable(rows: int, columns: int) -> int:
    """Rows to draw: time and memory grow with rows times columns, so wide tables get fewer."""
    return min(rows, max(_LEAST_DRAWN, _CELLS // max(1, columns)))


def draw(frame: pl.DataFrame, most: int, rng: np.random.Generator) -> pl.DataFrame:
    """At most *most* rows, evenly likely."""
    if frame.height <= most:
        return frame
    return frame[np.sort(rng.choice(frame.height, most, replace=False, shuffle=False))]


def _profile(
    height: int,
    rows: Encoded,
    columns: list[JointColumn],
    left_out: dict[str, str],
    config: Joint,
    rng: np.random.Generator,
) -> JointProfile:
    kept = JointProfile(rows=height, used=rows.rows, columns=tuple(columns), left_out=left_out)
    if len(columns) < 2 or rows.rows < 2:
        return kept
    side = scores(rows, columns, np.ones(rows.rows))
    found = correlations(side)
    return JointProfile(
        rows=height,
        used=rows.rows,
        columns=tuple(columns),
        left_out=left_out,
        correlations=_upper(np.rint(found.values * _FINE)).astype("<i2").tobytes(),
        variances=_upper(np.clip(np.rint(found.variances * _COARSE), 1, 65_535)).astype("<u2").tobytes(),
        expected=expected(side, config.variance, rng),
    )


def _upper(square: Floats) -> Floats:
    return np.asarray(square[np.triu_indices(square.shape[0], 1)])


def _square(upper: Floats, size: int) -> Floats:
    out = np.eye(size)
    out[np.triu_indices(size, 1)] = upper
    return np.asarray(np.triu(out) + np.triu(out, 1).T)
