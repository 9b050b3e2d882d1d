"""All that the errors of a model in time order say, in one record."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flows.config.detection.settings import Detection
from flows.detection.streams.dependence import row_dependence
from flows.detection.streams.detectors import Detector, detector
from flows.detection.streams.evidence import Before
from flows.detection.streams.recent import Window, windows
from flows.detection.streams.scan import Change
from flows.detection.streams.trend import Trend, mann_kendall
from registry.records.base import Record

Floats = NDArray[np.float64]
_LEAST_WINDOWS = 8
_HUGE = 1e50  # variances take squares, and those must be numbers
_NAMES = (
    "stream_alarm",
    "error_change_points",
    "rows_since_change",
    "error_change",
    "error_trend_p",
    "error_trend_slope",
    "error_trend_rise",
    "error_dependence",
)


class Mark(Record, frozen=True, kw_only=True):
    """
    A change of the error that a detector saw.

    Attributes:
        detector: Its name in the configuration.
        kind: Only rises alarm.
        row: At which it was seen, counted from 0 among the usable losses; since: from which on.
        time: Of that row; None if no times were given.
        before, after: Mean loss on either side.
    """

    detector: str
    kind: Literal["rise", "fall"]
    row: int
    since: int
    time: datetime | None = None
    before: float
    after: float

    @property
    def size(self) -> float:
        """Change of the mean loss."""
        return self.after - self.before


class ErrorTrend(Record, frozen=True, kw_only=True):
    """
    What the stream of losses says.

    Attributes:
        rows: Usable losses.
        enough: False means "too few to say anything", never "no change".
        said: What a person should know, in sentences.
        marks: Changes in time order, of all detectors.
        windows: The newest windows.
        trend: Of their means; None with fewer than 8.
        dependence: Rows that tell as much as one independent row.
        lead: The detector that counts changes: the first that can follow such losses; empty if none can.
    """

    rows: int
    enough: bool
    said: str
    marks: tuple[Mark, ...] = ()
    windows: tuple[Window, ...] = ()
    trend: Trend | None = None
    dependence: float = 1.0
    lead: str = "scan"

    @property
    def effective_rows(self) -> float:
        """Independent rows that would tell as much."""
        return self.rows / self.dependence

    @property
    def alarm(self) -> bool:
        """A detector saw the error rise, and saw no fall since."""
        last = {mark.detector: mark.kind for mark in self.marks}
        return "rise" in last.values()

    def metrics(self) -> dict[str, float | None]:
        """Values for rules; None where nothing is known."""
        found: dict[str, float | None] = dict.fromkeys(_NAMES)
        if not self.enough:
            return found
        return found | {"error_dependence": self.dependence} | self._change_metrics() | self._trend_metrics()

    def _change_metrics(self) -> dict[str, float | None]:
        if not self.lead:
            return {}
        rises = [mark for mark in self.marks if mark.kind == "rise" and mark.detector == self.lead]
        found: dict[str, float | None] = {"stream_alarm": float(self.alarm), "error_change_points": float(len(rises))}
        if rises:
            last = rises[-1]
            found["rows_since_change"] = float(self.rows - last.since)
            found["error_change"] = last.size / last.before if last.before > 0 else None
        return found

    def _trend_metrics(self) -> dict[str, float | None]:
        if self.trend is None:
            return {}
        level = float(np.mean([window.mean for window in self.windows]))
        rise = self.trend.slope * (self.trend.n - 1)
        first = level - rise / 2
        return {
            "error_trend_p": self.trend.p_rise,
            "error_trend_slope": self.trend.slope,
            "error_trend_rise": rise / first if first > 0 else None,
        }


def error_trend(
    losses: Floats,
    times: Sequence[datetime] | None,
    limits: Detection,
    before: Before | None = None,
) -> ErrorTrend:
    """
    Follow the errors of a model: marks of sudden changes, recent windows, and their trend.

    Args:
        losses: Shape (n,), in the order in which rows count (labels that came late in their place):
            errors 0 and 1, squared or absolute errors. Those that are not finite are left out.
        times: n of them, or None.
        limits: Windows, and the section `streams`.
        before: The level before the first row if it is known, such as the version's holdout
            loss: small rises are then found sooner, but a holdout that was too kind alarms.

    Raises:
        ValueError: If losses and times are not of the same number.

    Example:
        >>> calm = error_trend(np.tile([0.0, 0.0, 0.0, 1.0], 25), None, Detection())
        >>> calm.enough, calm.metrics()["stream_alarm"]
        (False, None)
    """
    if times is not None and len(times) != len(losses):
        raise ValueError(f"{len(losses)} losses and {len(times)} times; give one time for each loss")
    values = np.asarray(losses, dtype=np.float64)
    places = np.flatnonzero(np.isfinite(values))
    kept, left_out = np.clip(values[places], -_HUGE, _HUGE), values.size - places.size
    note = f"{left_out} losses were no finite number and left out." if left_out else ""
    least = max(limits.min_labelled, limits.streams.warm_up + limits.streams.shortest)
    if kept.size < least:
        short = f"Not enough data: {kept.size} labelled rows, {least} are needed."
        return ErrorTrend(rows=kept.size, enough=False, said=" ".join(filter(None, (short, note))), lead="")
    fit, unfit = _fitness(kept, limits, before)
    marks = _marks(kept, fit, times, places)
    seen = windows(kept, limits.error_window, limits.streams.trend_windows, confidence=limits.streams.confidence)
    trend = _trend(seen, limits.streams.confidence)
    return ErrorTrend(
        rows=kept.size,
        enough=True,
        said=" ".join(filter(None, (_told(marks, kept.size), _told_trend(trend), *unfit, note))),
        marks=marks,
        windows=seen,
        trend=trend,
        dependence=row_dependence(_levelled(kept, marks)),
        lead=next(iter(fit), ""),
    )


def _fitness(kept: Floats, limits: Detection, before: Before | None) -> tuple[dict[str, Detector], list[str]]:
    """Detectors that can follow these losses, and why others cannot."""
    made: dict[str, Detector] = {name: detector(name, limits.streams, before) for name in limits.streams.detectors}
    reasons = {name: one.unfit(kept) for name, one in made.items()}
    fit = {name: one for name, one in made.items() if not reasons[name]}
    return fit, [f"{name} was not asked: {reason}." for name, reason in reasons.items() if reason]


def _marks(
    kept: Floats, fit: dict[str, Detector], times: Sequence[datetime] | None, places: NDArray[np.int64]
) -> tuple[Mark, ...]:
    found = [
        _mark(name, change, None if times is None else times[int(places[change.row])])
        for name, one in fit.items()
        for change in one.changes(kept)
    ]
    return tuple(sorted(found, key=lambda mark: mark.row))


def _mark(name: str, change: Change, time: datetime | None) -> Mark:
    return Mark(
        detector=name,
        kind="rise" if change.after > change.before else "fall",
        row=change.row,
        since=change.since,
        time=time,
        before=change.before,
        after=change.after,
    )


def _trend(seen: tuple[Window, ...], confidence: float) -> Trend | None:
    means = np.array([window.mean for window in seen])
    return mann_kendall(means, confidence=confidence) if means.size >= _LEAST_WINDOWS else None


def _levelled(kept: Floats, marks: tuple[Mark, ...]) -> Floats:
    """Losses less the mean of their stretch: a change of level is no dependence."""
    parts = np.split(kept, sorted({mark.since for mark in marks}))
    return np.concatenate([part - part.mean() for part in parts if part.size])


def _told(marks: tuple[Mark, ...], rows: int) -> str:
    if not marks:
        return f"No change of the error in {rows} labelled rows."
    last = marks[-1]
    verb = "rose" if last.kind == "rise" else "fell"
    levels = f"from {last.before:.4g} to {last.after:.4g}"
    return f"The error {verb} {levels} at row {last.since}, seen by {last.detector} at row {last.row}."


def _told_trend(trend: Trend | None) -> str:
    if trend is None:
        return "Too few windows to speak of a trend."
    interval = f"[{trend.low:.3g}, {trend.high:.3g}]"
    return f"Slope {trend.slope:.3g} {interval} per window over {trend.n} windows, p of a rise {trend.p_rise:.3g}."
