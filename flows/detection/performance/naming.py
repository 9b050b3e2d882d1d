"""From a performance to the names that rules may use."""

from flows.detection.performance.pulls import KINDS
from flows.detection.performance.records import Performance

_RISING = tuple(name for kinds in KINDS.values() for name, kind in kinds.items() if not kind.higher)
_FALLING = tuple(name for kinds in KINDS.values() for name, kind in kinds.items() if kind.higher)
_CALLED = {"calibration": "calibration_error"}


def metrics_of(seen: Performance) -> dict[str, float | None]:
    """
    Values by name; None where they are not known.

    KPIs are not among them: their means are `flows.detection.signals.kpi_metrics`.
    """
    p = [one.p for one in seen.measures if one.p is not None]
    judged = any(one.p is not None for one in seen.measures)
    return {
        **_values(seen),
        **_changes(seen),
        **_estimated(seen),
        "accuracy_below_floor": None if seen.floor_broken is None else float(seen.floor_broken),
        "degraded": float(bool(seen.degraded)) if judged else None,
        "degradation_p": min(p, default=None),
        "label_share": seen.labelled / seen.rows if seen.rows else None,
        "absurd_share": seen.absurd,
    }


def _values(seen: Performance) -> dict[str, float | None]:
    found = {name: seen.measure(name) for name in (*_FALLING, *_RISING)}
    return {_CALLED.get(name, name): one.value if one else None for name, one in found.items()}


def _changes(seen: Performance) -> dict[str, float | None]:
    changes = {one.name: one.change for one in seen.measures if not one.estimated}
    falls = {f"{name}_drop": _turned(changes.get(name)) for name in _FALLING}
    rises = {f"{name}_increase": changes.get(name) for name in _RISING}
    named = {*_FALLING, *_RISING}
    kpis = [-change for name, change in changes.items() if name not in named and change is not None]
    return {**falls, **rises, "kpi_drop": max(kpis, default=None)}


def _estimated(seen: Performance) -> dict[str, float | None]:
    values = {one.name: one for one in seen.measures if one.estimated}
    loss = values.get("brier") or values.get("mae")
    check = seen.check(loss.name) if loss else None
    return {
        "estimated_accuracy": values["accuracy"].value if "accuracy" in values else None,
        "estimated_auc": values["auc"].value if "auc" in values else None,
        "estimated_loss": loss.value if loss else None,
        "estimated_increase": loss.change if loss else None,
        "corrected_loss": check.corrected if check else None,
        "estimate_blind": float(any(one.blind for one in seen.checks)) if seen.checks else None,
    }


def _turned(change: float | None) -> float | None:
    return None if change is None else -change
