"""All detectors behind one call; those of river are imported when one is asked for."""

from collections.abc import Callable
from itertools import zip_longest
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flows.config.detection.streams import DetectorName, Streams
from flows.detection.streams.evidence import Before, is_binary
from flows.detection.streams.scan import Change, scan_changes, scan_falls

Floats = NDArray[np.float64]
_COMPARED = 100  # rows at the end that tell which way a detector's change goes


class Detector(Protocol):
    """Follows losses and says where they changed."""

    def unfit(self, losses: Floats) -> str:
        """Why it cannot follow such losses; empty if it can."""

    def changes(self, losses: Floats) -> tuple[Change, ...]:
        """Rises and falls in time order."""


class ScanDetector:
    """The project's own: all recent windows against all rows before them."""

    def __init__(self, options: Streams, before: Before | None = None) -> None:
        self._options, self._before = options, before

    def unfit(self, losses: Floats) -> str:
        """Too few rows; any losses will do."""
        least = self._options.warm_up + self._options.shortest
        return "" if losses.size >= least else f"{losses.size} labelled rows, {least} are needed"

    def changes(self, losses: Floats) -> tuple[Change, ...]:
        """Rises and their ends, and falls of the times between."""
        changes = scan_changes(losses, self._options, self._before)
        calm = [0, *(change.since for change in changes if change.after < change.before)]
        rises = [change.since for change in changes if change.after > change.before]
        falls = [
            _moved(fall, start)
            for start, end in zip_longest(calm, rises, fillvalue=losses.size)
            for fall in scan_falls(losses[start:end], self._options)
        ]
        return tuple(sorted([*changes, *falls], key=lambda change: change.row))


class RiverDetector:
    """
    One of river's, with its own defaults.

    A detector of river names no row at which the change began: `since` is the row at which it fired.
    """

    def __init__(self, name: DetectorName) -> None:
        self._name = name

    def unfit(self, losses: Floats) -> str:
        """DDM counts errors, and the bounds of HDDM hold from 0 to 1."""
        if self._name == "ddm" and not is_binary(losses):
            return "it counts errors of 0 and 1, these are other losses"
        if self._name.startswith("hddm") and not bool(((losses >= 0) & (losses <= 1)).all()):
            return "it follows losses from 0 to 1, these go beyond"
        return ""

    def changes(self, losses: Floats) -> tuple[Change, ...]:
        """Where it fired, each told as a rise or a fall by the rows around it."""
        found: list[Change] = []
        start = 0
        for row in river_rows(self._name, losses):
            found.append(_around(losses, start, row))
            start = row
        return tuple(found)


def detector(name: DetectorName, options: Streams, before: Before | None = None) -> Detector:
    """
    Make a detector.

    Args:
        name: As the configuration names it.
        options: Of the scan.
        before: What the scan knows from before the first row.
    """
    return ScanDetector(options, before) if name == "scan" else RiverDetector(name)


def river_rows(name: DetectorName, losses: Floats) -> list[int]:
    """
    Rows at which a detector of river fires; it starts anew after each.

    Source:
        river: Bifet, Gavalda (2007) ADWIN; Page (1954); Gama et al. (2004) DDM; Frias-Blanco et al.
        (2015) HDDM.
    """
    follower = _makers()[name]()
    binary = name == "ddm"
    rows: list[int] = []
    for row, loss in enumerate(losses.tolist()):
        follower.update(bool(loss) if binary else loss)
        if follower.drift_detected:
            rows.append(row)
    return rows


def _makers() -> dict[str, Callable[[], "_Follower"]]:
    from river import drift
    from river.drift import binary

    return {
        "adwin": drift.ADWIN,
        "page_hinkley": lambda: drift.PageHinkley(mode="up"),
        "ddm": binary.DDM,
        "hddm_a": binary.HDDMA,
        "hddm_w": binary.HDDMW,
    }


class _Follower(Protocol):
    @property
    def drift_detected(self) -> bool: ...

    def update(self, x: float) -> object: ...


def _around(losses: Floats, start: int, row: int) -> Change:
    """The newest rows up to *row* against those from *start*."""
    seen = losses[start : row + 1]
    recent = min(_COMPARED, max(1, seen.size // 2))
    before = seen[:-recent] if seen.size > recent else seen
    return Change(row=row, since=row, before=float(before.mean()), after=float(seen[-recent:].mean()))


def _moved(change: Change, by: int) -> Change:
    return Change(row=change.row + by, since=change.since + by, before=change.before, after=change.after)
