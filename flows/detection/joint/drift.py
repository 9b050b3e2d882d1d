"""Joint drift: columns that each look as before, and go together otherwise."""

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from flows.config.detection.joint import Joint
from flows.detection.joint.classifier import Told, tell_apart
from flows.detection.joint.correlations import LEAST_ROWS, SHOWN, Correlations, PairChange, changes, correlations
from flows.detection.joint.encoding import Encoded, Floats, JointColumn, encoded, few, unlike
from flows.detection.joint.profile import JointProfile, Sample, affordable, draw, sampled
from flows.detection.joint.reconstruction import Rise, rise
from flows.detection.joint.scores import Scores, raked, score_names, scores
from registry.records.base import Record

_TESTS = 3
_LEAST_EFFECTIVE = 200.0


class JointDrift(Record, frozen=True, kw_only=True):
    """
    Whether columns depend on each other otherwise than in the reference.

    The drift of single columns is taken out before: ranks for numbers, weights for levels.

    Attributes:
        enough: False means "not enough data", never "no drift".
        drifted: One of three tests is sure beyond its share of alpha, and large enough to matter.
        by: Which: "correlation", "reconstruction", "classifier".
        reference_rows, rows: Of both sides.
        used: Rows per side that correlations and components are taken from.
        effective: Rows of the window that would say as much without weights.
        pairs: Pairs of columns whose correlation changed surely, or else the likeliest; at most five.
        features: Columns behind the drift, first those that changed most; empty without.
        told: By the classifier; None from a profile, which has no rows.
        left_out: Columns that could not be looked at, and why.
    """

    enough: bool
    said: str
    drifted: bool = False
    by: tuple[str, ...] = ()
    reference_rows: int = 0
    rows: int = 0
    used: tuple[int, int] = (0, 0)
    effective: float = 0.0
    correlation_p: float | None = None
    pairs: tuple[PairChange, ...] = ()
    reconstruction: Rise | None = None
    told: Told | None = None
    features: tuple[str, ...] = ()
    left_out: dict[str, str] = {}

    def metrics(self) -> dict[str, float | None]:
        """What rules may name; None is "not known"."""
        return {
            "joint_auc": self.told.auc if self.told else None,
            "joint_p": self.told.p_value if self.told else None,
            "reconstruction_increase": self.reconstruction.increase if self.reconstruction else None,
            "reconstruction_p": self.reconstruction.p_value if self.reconstruction else None,
            "correlation_p": self.correlation_p,
            "joint_drift": float(self.drifted) if self.enough else None,
        }


def joint_drift(
    reference: pl.DataFrame | JointProfile, current: pl.DataFrame, config: Joint, seed: int = 0
) -> JointDrift:
    """
    Compare how columns go together. Never raises for what the tables hold.

    Args:
        reference: Rows, or a profile of them; a profile does without the classifier.
        current: The window; columns that the reference has not are not looked at.
        config: Sizes, and what matters.
        seed: Of everything drawn: the same input gives the same answer.
    """
    was = _sample(reference, current, config, seed)
    profile = was.profile
    short = min(profile.rows, current.height)
    if short < config.min_rows:
        which = "the reference" if profile.rows == short else "the window"
        return _silent(profile, current, f"{short} rows in {which}, {config.min_rows} are needed")
    rng = np.random.default_rng([seed, 3])
    here = [one for one in profile.columns if one.name in current.columns]
    most = affordable(config.rows, len(profile.columns))
    now = encoded(draw(current.select([one.name for one in here]), most, rng), here)
    left_out = profile.left_out | _left_out(profile, here, now)
    columns = [one for one in here if one.name not in left_out]
    if len(columns) < 2:
        return _silent(profile, current, f"{len(columns)} columns can be compared, 2 are needed", left_out)
    return _judged(_Look(was, now, columns, left_out, current.height, config, seed), rng)


class _Look(msgspec.Struct, frozen=True):
    """What is compared."""

    was: Sample
    now: Encoded
    columns: list[JointColumn]
    left_out: dict[str, str]
    height: int
    config: Joint
    seed: int


def _judged(look: _Look, rng: np.random.Generator) -> JointDrift:
    profile, config = look.was.profile, look.config
    weights = raked(look.now, look.columns)
    side = scores(look.now, look.columns, weights)
    if side.effective < _LEAST_EFFECTIVE:
        return _shifted(look, side)
    kept = _kept(profile, look.columns)
    before = _part(profile.unpacked(), kept)
    names = score_names(look.columns)
    pairs = changes(before, correlations(side), names, _usable(side, names))
    complete = len(look.columns) == len(profile.columns)
    like = profile.expected
    risen = rise(before.values, like, side, rng) if complete and like is not None else None
    told = _told(look, weights)
    by = _by(pairs, risen, told, config)
    sure = [pair for pair in pairs if _matters(pair, config)]
    found = JointDrift(
        enough=bool(pairs) or told is not None,
        said="",
        drifted=bool(by),
        by=by,
        reference_rows=profile.rows,
        rows=look.height,
        used=(profile.used, look.now.rows),
        effective=side.effective,
        correlation_p=min((pair.adjusted for pair in pairs), default=None),
        pairs=tuple((sure or pairs)[:SHOWN]),
        reconstruction=risen,
        told=told,
        features=_features(sure, told) if by else (),
        left_out=look.left_out,
    )
    return msgspec.structs.replace(found, said=_said(found, sure))


def _shifted(look: _Look, side: Scores) -> JointDrift:
    why = f"with their levels weighted as in the reference, the window's rows say as much as {side.effective:.0f} would"
    return JointDrift(
        enough=False,
        said=f"not enough data: {why}",
        reference_rows=look.was.profile.rows,
        rows=look.height,
        used=(look.was.profile.used, look.now.rows),
        effective=side.effective,
        left_out=look.left_out,
    )


def _sample(reference: pl.DataFrame | JointProfile, current: pl.DataFrame, config: Joint, seed: int) -> Sample:
    if isinstance(reference, JointProfile):
        return Sample(Encoded(0, {}, {}), reference)
    shared = [name for name in reference.columns if name in current.columns]
    was = sampled(reference.select(shared), config, seed)
    missing = {name: _GONE for name in reference.columns if name not in current.columns}
    profile = msgspec.structs.replace(was.profile, rows=reference.height, left_out=was.profile.left_out | missing)
    return Sample(was.rows, profile)


_GONE = "the window has no such column"


def _left_out(profile: JointProfile, here: Sequence[JointColumn], now: Encoded) -> dict[str, str]:
    known = {one.name for one in here}
    return {one.name: _GONE for one in profile.columns if one.name not in known} | unlike(now, here)


def _kept(profile: JointProfile, columns: Sequence[JointColumn]) -> list[int]:
    names = {one.name for one in columns}
    return [place for place, (column, _) in enumerate(score_names(profile.columns)) if column in names]


def _part(whole: Correlations, kept: list[int]) -> Correlations:
    grid = np.ix_(kept, kept)
    return Correlations(whole.values[grid], whole.variances[grid], whole.rows[grid])


def _usable(side: Scores, names: Sequence[tuple[str, str]]) -> list[bool]:
    """Scores of levels with enough rows in the window; those of numbers always."""
    return [not level or _speaking(side, place) >= LEAST_ROWS for place, (_, level) in enumerate(names)]


def _speaking(side: Scores, place: int) -> float:
    """Effective rows of a level: its score is above the mean where it is the row's."""
    w = side.weights[side.values[:, place] > 0]
    total = float(np.sum(w**2))
    return float(w.sum() ** 2) / total if total > 0 else 0.0


def _told(look: _Look, weights: Floats) -> Told | None:
    config = look.config
    if not look.was.rows.rows or not config.classifier_rows:
        return None
    size = (config.classifier_rows, config.permutations)
    return tell_apart(look.was.rows, look.now, weights, look.columns, size, look.seed)


def _by(pairs: Sequence[PairChange], risen: Rise | None, told: Told | None, config: Joint) -> tuple[str, ...]:
    level = config.alpha / _TESTS
    found = {
        "correlation": any(_matters(pair, config) for pair in pairs),
        "reconstruction": risen is not None and risen.p_value <= level and risen.increase >= config.min_reconstruction,
        "classifier": told is not None
        and told.p_value <= config.alpha
        and told.held_out_p <= level
        and told.auc >= config.min_auc,
    }
    return tuple(name for name, fired in found.items() if fired)


def _matters(pair: PairChange, config: Joint) -> bool:
    return pair.adjusted <= config.alpha / _TESTS and abs(pair.now - pair.was) >= config.min_correlation


def _features(sure: Sequence[PairChange], told: Told | None) -> tuple[str, ...]:
    """Columns of the pairs that changed, largest change first; else those that the classifier used most."""
    largest = sorted(sure, key=lambda pair: -abs(pair.now - pair.was))
    named = [column for pair in largest for column in pair.columns]
    named += [name for name, share in (told.features if told and not sure else ()) if share >= 0.1]
    return tuple(dict.fromkeys(named))


def _said(found: JointDrift, sure: Sequence[PairChange]) -> str:
    if not found.enough:
        return "not enough data: no two columns have enough values to compare"
    parts = [
        "columns go together otherwise than in the reference" if found.drifted else "columns go together as before"
    ]
    parts += [f"{p.first} and {p.second}: correlation {p.was:.2f}, now {p.now:.2f}" for p in sure[:2]]
    if found.told and "classifier" in found.by:
        parts.append(f"a classifier tells the sides apart with an AUC of {found.told.auc:.2f}")
    if found.reconstruction and "reconstruction" in found.by:
        parts.append(f"the reconstruction error rose by {found.reconstruction.increase:.0%}")
    if max(found.used) < max(found.reference_rows, found.rows):
        parts.append(f"from {max(found.used)} rows a side at most")
    if found.left_out:
        parts.append(f"not looked at: {few(list(found.left_out))}")
    return "; ".join(parts)


def _silent(
    profile: JointProfile, current: pl.DataFrame, why: str, left_out: dict[str, str] | None = None
) -> JointDrift:
    return JointDrift(
        enough=False,
        said=f"not enough data: {why}",
        reference_rows=profile.rows,
        rows=current.height,
        left_out=left_out or profile.left_out,
    )
