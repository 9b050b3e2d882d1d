"""Turns what was measured into signals: the loss, and the drift of inputs weighed by importance."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from scipy import special

from flows.detection.fusion.seen import FeatureSeen, ReportSeen
from flows.detection.fusion.signals import Drifted, Evidence, Kind, Signal, usable

_NAMED = 5
_UNKNOWN = 0.1  # weight of a feature whose importance is not known


def evidence_of(
    metrics: Mapping[str, float | None], report: ReportSeen, weights: Mapping[str, float] | None = None
) -> Evidence:
    """
    What the metrics and a drift report say.

    Args:
        metrics: Values that rules may name; the rises of the error among them become signals.
        report: Of the inputs.
        weights: Importance of the features, if known.
    """
    shares, drifted = dict(weights or {}), tuple(map(drifted_of, report.drifted))
    doubt = min((feature.doubt for feature in report.drifted), default=None)
    signals = [*error_signals(metrics), data_signal(drifted, shares, doubt)]
    return Evidence(
        metrics=dict(metrics), signals=tuple(one for one in signals if one), drifted=drifted, importance=shares
    )


def drifted_of(feature: FeatureSeen) -> Drifted:
    """A feature that drifted; one that is gone has moved as far as can be."""
    name = "D" if feature.kind == "numeric" else "V"
    measured = [f"{name} = {feature.statistic:.3f}, PSI = {feature.psi:.2f}"] if feature.enough else []
    size = 1.0 if feature.gone else min(max(feature.statistic, abs(feature.missing_change)), 1.0)
    return Drifted(name=feature.name, size=size, words="; ".join([*measured, *feature.findings]))


def error_signals(metrics: Mapping[str, float | None]) -> tuple[Signal, ...]:
    """The rise of the error over the windows before, and over the champion's baseline."""
    told = {"error over earlier windows": "error", "loss against the baseline": "baseline"}
    found = [_tested(name, metrics.get(f"{key}_increase"), metrics.get(f"{key}_p")) for name, key in told.items()]
    return tuple(one for one in found if one is not None)


def asked(actor: str, reason: str, *, emergency: bool = False) -> Signal:
    """The wish of a person."""
    kind: Kind = "emergency" if emergency else "manual"
    words = f"{kind} retraining asked for by {actor}: {reason}"
    return Signal(name=kind, kind=kind, strength=1.0, doubt=0.0, words=words)


def loss_signal(name: str, kind: Kind, rise: float, error: float, doubt: float | None = None) -> Signal | None:
    """
    A rise of the loss as a signal; None where rise or error is no finite number.

    Args:
        name: E.g. "loss against the baseline".
        kind: performance, concept or estimate.
        rise: In shares of the baseline loss.
        error: Its standard error.
        doubt: One-sided p-value; from rise and error if not given.
    """
    if not (math.isfinite(rise) and math.isfinite(error) and error >= 0):
        return None
    rise, error = float(rise), float(error)
    p = usable(doubt) if doubt is not None else _above(rise, error)
    said = f"{name}: {rise:+.1%}" + (f" (p = {p:.2g})" if p is not None else "")
    strength = float(np.clip(rise, 0, 1))
    return Signal(name=name, kind=kind, strength=strength, doubt=p, harm=rise, harm_error=error, words=said)


def exposure(drifted: Iterable[Drifted], weights: Mapping[str, float]) -> float:
    """Sum over drifted features of how far they went times their share in the predictions, 0 to 1."""
    return min(sum(min(one.size, 1.0) * weights.get(one.name, _UNKNOWN) for one in drifted), 1.0)


def ranked(drifted: Iterable[Drifted], weights: Mapping[str, float]) -> tuple[Drifted, ...]:
    """Drifted features, by drift times importance; a feature that nothing rests on still counts a little."""
    floor = 0.25 * max(weights.values(), default=1.0)

    def order(one: Drifted) -> tuple[float, str]:
        return -one.size * (floor + weights.get(one.name, _UNKNOWN)), one.name

    return tuple(sorted(drifted, key=order))


def data_signal(drifted: Iterable[Drifted], weights: Mapping[str, float], doubt: float | None = None) -> Signal | None:
    """
    Drift of the inputs as a signal; None where none drifted.

    Its harm is the exposure; what that means in loss was learned from simulated histories.
    """
    order = ranked(drifted, weights)
    if not order:
        return None
    names = tuple(one.name for one in order)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    found = exposure(order, weights)
    return Signal(
        name="data drift",
        kind="data",
        strength=found,
        doubt=doubt,
        harm=found,
        harm_error=0.0,
        features=names,
        words=f"{len(names)} features drifted: {', '.join(names[:_NAMED])}{more}",
    )


def _above(rise: float, error: float) -> float | None:
    return 0.5 * math.erfc(rise / error / math.sqrt(2)) if error > 0 else None


def _tested(name: str, rise: float | None, p: float | None) -> Signal | None:
    """A rise with its one-sided p-value; the standard error is what makes the two agree."""
    rise, p = usable(rise), usable(p)
    if rise is None or p is None:
        return None
    z = abs(float(special.ndtri(min(max(p, 1e-12), 1 - 1e-12))))
    return loss_signal(name, "performance", rise, max(abs(rise), 0.01) / max(z, 0.1), p)
