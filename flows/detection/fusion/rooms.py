"""What the other rooms found, as signals."""

from flows.detection.fusion.mapping import loss_signal
from flows.detection.fusion.signals import Signal
from flows.detection.joint.drift import JointDrift
from flows.detection.performance.records import Performance
from flows.detection.streams.error_trend import ErrorTrend

_DEVIATIONS = 3.92  # a central 95 % interval is so many standard errors wide


def joint_signal(found: JointDrift | None) -> Signal | None:
    """Columns that go together otherwise; what that costs, labels say."""
    if found is None or not found.drifted:
        return None
    return Signal(
        name="joint drift",
        kind="data",
        strength=0.5,
        doubt=found.correlation_p,
        features=found.features,
        words=found.said,
    )


def stream_signal(found: ErrorTrend) -> Signal | None:
    """The last sudden rise of the errors, unless they fell again; its size is no estimate of what a refit wins."""
    rises = [mark for mark in found.marks if mark.kind == "rise"]
    if not found.alarm or not rises:
        return None
    last = rises[-1]
    size = last.size / last.before if last.before > 0 else 1.0
    when = f" at {last.time:%Y-%m-%d %H:%M}" if last.time else f" at labelled row {last.since}"
    words = f"{last.detector} saw the error rise from {last.before:.3g} to {last.after:.3g}{when}"
    return Signal(name="sudden rise of the error", kind="concept", strength=min(1.0, max(0.0, size)), words=words)


def estimate_signal(found: Performance) -> Signal | None:
    """The loss of rows without labels, where estimates are not shown to be off."""
    measure = found.measure("brier", estimated=True) or found.measure("mae", estimated=True)
    if measure is None or measure.change is None or not measure.baseline or measure.low is None or measure.high is None:
        return None
    if any(check.blind for check in found.checks):
        return None
    error = (measure.high - measure.low) / _DEVIATIONS / abs(measure.baseline)
    return loss_signal("estimated loss of rows without labels", "estimate", measure.change, error)
