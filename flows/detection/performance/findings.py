"""Sentences about a performance: what is reachable, what is off, what is not known."""

from collections.abc import Sequence

import numpy as np

from flows.config.model import ModelConfig
from flows.detection.performance.pulls import KINDS
from flows.detection.performance.records import Measure, Performance
from flows.detection.performance.spread import Floats


def trivial_accuracy(labels: Floats) -> float:
    """Share of the more frequent class: what always saying it would reach."""
    ones = float(labels.mean())
    return max(ones, 1 - ones)


def floor_of(measures: Sequence[Measure], floor: float | None) -> bool | None:
    """Whether accuracy is surely below its floor; None where that cannot be known, or never was otherwise."""
    found = next((one for one in measures if one.name == "accuracy"), None)
    if floor is None or found is None or found.high is None or found.baseline is None or found.baseline < floor:
        return None
    return found.high < floor


def reach_findings(seen: Performance, config: ModelConfig, labels: Floats) -> list[str]:
    """What is out of reach, and what could not be judged."""
    if not seen.enough:
        return []
    one_label = bool(np.ptp(labels) == 0) and config.task != "multiclass"  # of several, labels are hits
    found = ["All labels are the same: what tells rows apart cannot be measured."] if one_label else []
    lost = [name for name in KINDS[config.task] if seen.measure(name) is None]
    if lost and not one_label:
        found.append(f"{', '.join(lost)}: not measured, too few rows of a class or no usable numbers.")
    unknown = [one.name for one in seen.measures if one.said.startswith("the baseline's own error")]
    if unknown:
        found.append("How many rows the holdout had is not known: baselines count as exact, so calls are too bold.")
    if config.task == "regression":
        return found + _regression(seen)
    return found + _classification(seen, config.detection.performance.accuracy_floor)


def summary(seen: Performance, least: int) -> str:
    """The whole in a sentence or two."""
    guessed = any(one.estimated for one in seen.measures)
    if not seen.enough:
        text = f"Not enough labels: {seen.labelled:,} of the {least:,} that are needed."
        return f"{text} Estimates stand in for them." if guessed else text
    if seen.degraded:
        text = "; ".join(_sentence(one) for one in seen.measures if one.degraded)
        text = f"Worse than on the holdout: {text}."
    elif any(one.p is not None for one in seen.measures):
        text = f"No degradation is shown on {seen.labelled:,} labelled rows."
    else:
        text = f"{seen.labelled:,} labelled rows were measured, but no baseline to hold them against."
    blind = [one.name for one in seen.checks if one.blind]
    return f"{text} Estimates of {', '.join(blind)} are off and not to be trusted." if blind else text


def _sentence(one: Measure) -> str:
    return f"{one.name} {one.value:.4g} [{one.low:.4g}, {one.high:.4g}] against {one.baseline:.4g} ({one.change:+.1%})"


def _regression(seen: Performance) -> list[str]:
    found = seen.measure("r2")
    if found is None or found.high is None or found.high >= 0:
        return []
    return [f"R2 is {found.value:.3g}: always saying the mean of these labels would be better."]


def _classification(seen: Performance, floor: float | None) -> list[str]:
    found, trivial = seen.measure("accuracy"), seen.trivial
    if found is None or found.value is None or found.high is None or trivial is None:
        return []
    said = []
    if found.high < trivial:
        said.append(
            f"Accuracy {found.value:.3f} is below {trivial:.3f}, what always saying the frequent class reaches."
        )
    if floor is None:
        return said
    return said + _floor(found, trivial, floor)


def _floor(found: Measure, trivial: float, floor: float) -> list[str]:
    if trivial >= floor:
        return [
            f"Always saying the frequent class reaches {trivial:.3f}: an accuracy floor of {floor:g} shows nothing."
        ]
    if found.baseline is None:
        return [f"Whether an accuracy of {floor:g} can be reached is not known: no baseline is stored."]
    if found.baseline < floor:
        why = f"the champion's own holdout was at {found.baseline:.3f}, the frequent class at {trivial:.3f}"
        return [f"The accuracy floor of {floor:g} is out of reach and is not held against the champion: {why}."]
    return []
