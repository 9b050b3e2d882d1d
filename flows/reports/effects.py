"""The effects of a decision in the units in which they are shown."""

import math
from typing import NamedTuple

from flows.reports.measures import PERCENT, POINTS, measure_of
from flows.reports.text import percent, plain_number, signed
from registry.records.policy import Guardrail
from registry.records.verdict import Decision, Finding, Role

ROLES: tuple[Role, ...] = ("primary", "goal", "guardrail", "integrity", "segment", "context")


class Shown(NamedTuple):
    """
    An effect ready to be drawn or said; more is better.

    Attributes:
        estimate: In the unit: percent, points (hundredths) or the metric's own.
        low, high: None where nothing bounds it.
        unit: As written behind a number.
        margin: What the interval has to lie above, if that was declared.
        bounded: False if the finding has no interval at all.
    """

    estimate: float
    low: float | None
    high: float | None
    unit: str
    margin: float | None = None
    bounded: bool = True


def metric_of(finding: Finding) -> str:
    """Name of the metric that it is about."""
    return finding.metric or finding.name


def primary_of(decision: Decision) -> Finding | None:
    """The finding about the policy's primary metric, or what comes nearest to it."""
    measured = [f for f in decision.findings if finite(f.estimate) is not None and f.role != "segment"]
    for wanted in (
        [f for f in measured if f.role == "primary"],
        [f for f in measured if metric_of(f) == decision.policy.metric],
        [f for f in measured if f.passed is not None],
        measured,
    ):
        if wanted:
            return wanted[0]
    return None


def finite(value: float | None) -> float | None:
    """None for what is no number."""
    return value if value is not None and math.isfinite(value) else None


def label_of(finding: Finding) -> str:
    """What to write beside it: the metric's title, or the name of a check or a segment."""
    metric = metric_of(finding)
    return measure_of(metric).title if finding.name == metric else finding.name


def absolute(finding: Finding) -> Shown | None:
    """In points for shares, else in the metric's own unit; None if it was tested as a ratio."""
    estimate = finite(finding.estimate)
    if estimate is None or tested_as_ratio(finding):
        return None
    unit = measure_of(metric_of(finding)).unit
    scale = 100.0 if unit == POINTS else 1.0
    low, high, margin = (_scaled(v, scale) for v in (finding.low, finding.high, finding.threshold))
    return Shown(estimate * scale, low, high, unit, margin, _has_interval(finding))


def relative(finding: Finding, decision: Decision) -> Shown | None:
    """In percent of the champion's value; None if that was not computed."""
    lift = finite(finding.lift)
    if lift is None:
        return None
    low, high = (_scaled(v, 100.0) for v in (finding.lift_low, finding.lift_high))
    return Shown(100 * lift, low, high, PERCENT, _relative_margin(finding, decision), _has_interval(finding))


def shown_of(finding: Finding, decision: Decision) -> Shown | None:
    """In the unit of its declared margin; else in percent of the champion's value, if that is known."""
    guard = _declared(finding, decision)
    ratio, own = relative(finding, decision), absolute(finding)
    in_units = guard is not None and (not guard.relative or guard.slack > 0)  # slack is in the metric's unit
    return (own or ratio) if in_units else (ratio or own)


def unmeasured(decision: Decision) -> list[Guardrail]:
    """Guardrails that the policy names and this comparison did not measure."""
    measured = {metric_of(f) for f in decision.findings if f.role == "guardrail"}
    return [guard for guard in decision.policy.guardrails if guard.metric not in measured]


def of_metric(decision: Decision, finding: Finding, arm: str) -> float | None:
    """The raw value of one model."""
    own = finite(finding.champion if arm == "champion" else finding.challenger)
    return own if own is not None else finite(decision.metrics.get(arm, {}).get(metric_of(finding)))


def value_text(metric: str, value: float | None) -> str:
    """A raw value of a metric: shares as percentages."""
    measure = measure_of(metric)
    if measure.unit == POINTS:
        return percent(value, 4)
    return f"{plain_number(value, 4)}{measure.unit if finite(value) is not None else ''}"


def effect_text(shown: Shown) -> str:
    """
    The estimate and its interval.

    Example:
        >>> effect_text(Shown(1.234, 0.4, None, " points"))
        '+1.23 points [+0.4, unbounded above]'
    """
    return f"{difference(shown.estimate)}{shown.unit} {interval_text(shown)}".rstrip()


def interval_text(shown: Shown) -> str:
    """The interval alone; what is unbounded is said."""
    if not shown.bounded:
        return ""
    if shown.low is None and shown.high is None:
        return "[unbounded on both sides]"
    low = "unbounded below" if shown.low is None else f"{difference(shown.low)}{_tail(shown)}"
    high = "unbounded above" if shown.high is None else f"{difference(shown.high)}{_tail(shown)}"
    return f"[{low}, {high}]"


def difference(value: float) -> str:
    """With its sign; below 1, two digits are enough."""
    return signed(value, 3 if abs(value) >= 1 else 2)


def amount(value: float, unit: str) -> str:
    """
    The size of a difference, without its direction.

    Example:
        >>> amount(-1.234, " points"), amount(1.0, " points"), amount(4.56, "%")
        ('1.2 points', '1 point', '4.6%')
    """
    said = plain_number(abs(value), 2)
    return f"{said}{' point' if unit == POINTS and said == '1' else unit}"


def _tail(shown: Shown) -> str:
    return PERCENT if shown.unit == PERCENT else ""


def _scaled(value: float | None, scale: float) -> float | None:
    known = finite(value)
    return None if known is None else known * scale


def _has_interval(finding: Finding) -> bool:
    known = (finding.low, finding.high, finding.p_value, finding.log_p)
    return any(value is not None for value in known)


def _declared(finding: Finding, decision: Decision) -> Guardrail | None:
    if finding.role != "guardrail":
        return None
    return next((guard for guard in decision.policy.guardrails if guard.metric == metric_of(finding)), None)


def tested_as_ratio(finding: Finding) -> bool:
    """Whether the estimate itself is relative to the champion's value."""
    own = (finding.estimate, finding.low, finding.high)
    return own == (finding.lift, finding.lift_low, finding.lift_high) and abs(finding.champion or 0.0) != 1


def _relative_margin(finding: Finding, decision: Decision) -> float | None:
    """The threshold on the scale of the lift."""
    if tested_as_ratio(finding):
        return _scaled(finding.threshold, 100.0)
    declared = _declared(finding, decision)
    if declared is not None and declared.relative and not declared.slack:
        return -100 * declared.margin
    threshold, champion = finite(finding.threshold), of_metric(decision, finding, "champion")
    if threshold is None or not champion:
        return 0.0 if threshold == 0 else None
    return 100 * threshold / abs(champion)
