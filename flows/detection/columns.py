"""Two samples of one column become one `FeatureDrift`; no column is ever an exception."""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from flows.config.detection.settings import Detection
from flows.detection.measures import (
    Floats,
    by_chance_absent,
    decile_counts,
    homogeneity,
    ks,
    pooled,
    psi,
    share_change,
)
from flows.detection.profile import CategoryProfile, NumericProfile, finite_values, level_counts, moments, numbers
from registry.records.base import Record

LEAST = 30  # values on either side below which nothing is said about a column
OUTLIER_SIGMA = 3.0
_NAMED = 5
_SURELY = 0.001  # a level is called new or vanished if chance would hide it less often


class FeatureDrift(Record, frozen=True, kw_only=True):
    """
    One feature.

    Attributes:
        n: Values in the window; reference_n: in the reference.
        enough: False means "too few values to say anything", never "no drift".
        psi: Population stability index; null_psi: its 99.9 % quantile without drift.
        statistic: Kolmogorov-Smirnov D, or Cramer's V of a categorical.
        p_value: Before, adjusted: after correction over all tests of the window.
        missing_change: Share of missing values now minus in the reference, with its own
            missing_p and missing_adjusted.
        outlier_share: Share of values beyond 3 standard deviations of the reference.
        drifted: Significant, and large enough to matter, be it of values or of the share
            of missing ones; or gone.
        high: Drifted, with a PSI beyond the threshold and beyond chance; or by missing
            values; or gone.
        findings: What a person should know, in words.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    n: int
    reference_n: int = 0
    enough: bool = True
    psi: float = 0.0
    null_psi: float = 0.0
    statistic: float = 0.0
    p_value: float = 1.0
    adjusted: float = 1.0
    missing_change: float = 0.0
    missing_p: float = 1.0
    missing_adjusted: float = 1.0
    outlier_share: float = 0.0
    drifted: bool = False
    high: bool = False
    findings: tuple[str, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether there was a column, and is none."""
        return GONE in self.findings and self.reference_n > 0

    @property
    def doubt(self) -> float:
        """How likely chance alone would show as much: the smallest p-value behind the judgement."""
        return 0.0 if self.gone else min(self.adjusted, self.missing_adjusted)


GONE = "the column is absent"


@dataclass(frozen=True, slots=True)
class Numbers:
    """
    A numeric sample, or what a profile kept of one.

    Attributes:
        values: Sorted and finite; quantiles if n is larger.
        n: Finite values; missing: all others, infinite ones and text included.
    """

    values: Floats
    n: int
    missing: int
    mean: float
    sd: float
    infinite: int = 0
    text: int = 0

    @classmethod
    def of(cls, column: pl.Series) -> "Numbers":
        """Take a column of any type."""
        cast, values = numbers(column), finite_values(column)
        mean, sd = moments(values)
        return cls(
            values=values,
            n=values.size,
            missing=column.len() - values.size,
            mean=mean,
            sd=sd,
            infinite=int(cast.is_infinite().sum()),
            text=cast.null_count() - column.null_count(),
        )

    @classmethod
    def stored(cls, was: NumericProfile) -> "Numbers":
        """Take a profile."""
        return cls(np.asarray(was.quantiles, dtype=np.float64), was.n, was.missing, was.mean, was.sd)

    def outlier_share(self, like: "Numbers") -> float:
        """Share of values beyond 3 standard deviations of *like*."""
        if like.sd == 0 or self.values.size == 0:
            return 0.0
        low, high = like.mean - OUTLIER_SIGMA * like.sd, like.mean + OUTLIER_SIGMA * like.sd
        inside = np.searchsorted(self.values, high, side="right") - np.searchsorted(self.values, low, side="left")
        return 1 - float(inside) / self.values.size


@dataclass(frozen=True, slots=True)
class Levels:
    """
    A categorical sample.

    Attributes:
        counts: Rows of every level; a profile keeps only the most frequent ones.
    """

    counts: dict[str, int]
    n: int
    missing: int

    @classmethod
    def of(cls, column: pl.Series) -> "Levels":
        """Take a column of any type."""
        counts = level_counts(column)
        n = sum(counts.values())
        return cls(counts, n, column.len() - n)


def numeric_drift(name: str, was: Numbers, now: Numbers, limits: Detection) -> FeatureDrift:
    """Compare two numeric samples; `drifted` and `high` are judged later, over all features."""
    change, missing_p = share_change((was.missing, was.n + was.missing), (now.missing, now.n + now.missing))
    share = now.outlier_share(was)
    found = FeatureDrift(
        name=name,
        kind="numeric",
        n=now.n,
        reference_n=was.n,
        enough=min(was.n, now.n) >= LEAST,
        missing_change=change,
        missing_p=missing_p,
        outlier_share=share,
        findings=(*_presence(was.n, now.n, change), *_oddities(was, now, share, limits)),
    )
    return _measured(found, was, now) if found.enough else found


def categorical_drift(name: str, was: CategoryProfile, column: pl.Series) -> FeatureDrift:
    """Compare two categorical samples; `drifted` and `high` are judged later, over all features."""
    now = Levels.of(column)
    change, missing_p = share_change((was.missing, was.n + was.missing), (now.missing, now.n + now.missing))
    found = FeatureDrift(
        name=name,
        kind="categorical",
        n=now.n,
        reference_n=was.n,
        enough=min(was.n, now.n) >= LEAST,
        missing_change=change,
        missing_p=missing_p,
        findings=(*_presence(was.n, now.n, change), *_levels(was, now)),
    )
    return _measured_levels(found, was, now) if found.enough else found


def absent(name: str, was: NumericProfile | CategoryProfile) -> FeatureDrift:
    """A column that the reference has and the window has not: as if all its values were missing."""
    return FeatureDrift(
        name=name,
        kind="numeric" if isinstance(was, NumericProfile) else "categorical",
        n=0,
        reference_n=was.n,
        enough=False,
        missing_change=was.n / (was.n + was.missing) if was.n else 0.0,
        findings=(GONE,) if was.n else (GONE, "the reference has no values"),
    )


def _measured(found: FeatureDrift, was: Numbers, now: Numbers) -> FeatureDrift:
    d, p = ks(was.values, now.values, n=was.n)
    index, by_chance = psi(*decile_counts(was.values, now.values, was.n))
    return msgspec.structs.replace(found, statistic=d, p_value=p, psi=index, null_psi=by_chance)


def _measured_levels(found: FeatureDrift, was: CategoryProfile, now: "Levels") -> FeatureDrift:
    reference, current = pooled(was.counts, now.counts, was.rest)
    v, p = homogeneity(reference, current)
    index, by_chance = psi(reference, current)
    return msgspec.structs.replace(found, statistic=v, p_value=p, psi=index, null_psi=by_chance)


def _presence(reference_n: int, n: int, change: float) -> list[str]:
    findings = []
    if n == 0:
        findings.append("no values at all" if reference_n else "no values, as in the reference")
    elif reference_n == 0:
        findings.append("the reference has no values")
    elif min(n, reference_n) < LEAST:
        findings.append(f"not enough values to compare: {n}, and {reference_n} in the reference")
    if abs(change) >= 0.005:
        findings.append(f"missing values {'rose' if change > 0 else 'fell'} by {abs(change):.1%} of the rows")
    return findings


def _oddities(was: Numbers, now: Numbers, share: float, limits: Detection) -> list[str]:
    findings = []
    if now.infinite:
        findings.append(f"{now.infinite} infinite values")
    if now.text:
        findings.append(f"{now.text} values are no numbers")
    if min(was.n, now.n) < LEAST:
        return findings  # a single value is always constant, and often far out
    moved = now.sd > 0 or now.mean != was.mean
    if now.sd == 0 and (was.sd > 0 or moved):
        findings.append(f"constant: {now.mean:.4g}")
    if was.sd == 0 and moved:
        findings.append(f"it was constant: {was.mean:.4g}")
    if share > limits.outlier_share:
        before = was.outlier_share(was)
        findings.append(f"{share:.1%} lie beyond 3 standard deviations (in the reference {before:.1%})")
    return findings


def _levels(was: CategoryProfile, now: Levels) -> list[str]:
    if not was.n or not now.n:
        return []
    # A level that is not in a cut-off profile may be one of those that were cut off.
    new = [] if was.rest else _beyond_chance(now.counts, now.n, was.counts, was.n)
    vanished = _beyond_chance(was.counts, was.n, now.counts, now.n)
    return [
        *_first([f"new level {level!r} in {now.counts[level] / now.n:.1%} of the rows" for level in new], "new levels"),
        *_first(
            [f"level {level!r} vanished (it had {was.counts[level] / was.n:.1%})" for level in vanished],
            "vanished levels",
        ),
    ]


def _beyond_chance(here: dict[str, int], n: int, there: dict[str, int], m: int) -> list[str]:
    """Levels that are here and not there, and too frequent here for that to be chance."""
    return [level for level, seen in here.items() if level not in there and by_chance_absent(seen, n, m) < _SURELY]


def _first(findings: list[str], name: str) -> list[str]:
    more = len(findings) - _NAMED
    return [*findings[:_NAMED], f"and {more} more {name}"] if more > 0 else findings
