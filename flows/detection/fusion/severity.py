"""From estimated harm to a word that says how urgent it is."""

from collections.abc import Iterable

from flows.config.detection.fusion import Fusion
from flows.detection.fusion.signals import Signal, usable
from registry.records.retraining import Severity

LEVELS: tuple[Severity, ...] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
RECOMMENDATIONS: dict[Severity, str] = {
    "LOW": "monitor",
    "MEDIUM": "investigate",
    "HIGH": "plan retraining",
    "CRITICAL": "retrain now",
}
_STRONG, _SURE, _EXPOSED = 0.5, 0.01, 0.1
_BEYOND_DOUBT = 0.001


def severity_of(harm: float, signals: Iterable[Signal], limits: Fusion) -> Severity:
    """
    Grow with the estimated harm, and with strong signals that name no harm.

    A strong signal without a price (strength at least .5, doubt at most .01) is worth an
    investigation; two of them, one from labels, are worth a plan. So is drift of a tenth of what
    the predictions rest on, while no labels tell whether it hurts, worth an investigation. A person's
    wish is at least HIGH, an emergency CRITICAL.
    """
    seen = tuple(signals)
    level = sum(harm >= limit for limit in (limits.medium, limits.high, limits.critical))
    return LEVELS[max(level, _unpriced(seen), _untold(seen), risen(seen, limits.rise), _asked(seen))]


def _unpriced(signals: tuple[Signal, ...]) -> int:
    strong = [
        one
        for one in signals
        if one.harm is None and one.doubt is not None and one.strength >= _STRONG and one.doubt <= _SURE
    ]
    several = len({one.name for one in strong}) > 1 and any(one.measured for one in strong)
    return 2 if several else int(bool(strong))


def _untold(signals: tuple[Signal, ...]) -> int:
    told = any(one.measured and usable(one.harm) is not None for one in signals)
    exposed = max((usable(one.harm) or 0.0 for one in signals if one.kind == "data"), default=0.0)
    return int(not told and exposed >= _EXPOSED)


def risen(signals: Iterable[Signal], rise: float) -> int:
    """How bad the measured loss is by itself, 0 to 3; see `severity_of`."""
    sure = [
        one for one in signals if one.kind == "performance" and one.doubt is not None and one.doubt <= _BEYOND_DOUBT
    ]
    most = max((usable(one.harm) or 0.0 for one in sure), default=0.0)
    return sum(most >= times * rise for times in (1, 2, 4))


def _asked(signals: tuple[Signal, ...]) -> int:
    kinds = {one.kind for one in signals}
    return 3 if "emergency" in kinds else 2 if "manual" in kinds else 0
