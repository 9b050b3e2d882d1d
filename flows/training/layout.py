"""What is learned from and what it is judged on: always the past for the future."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from flows.config.durations import text
from flows.config.training import Training
from flows.errors import NotEnoughData

FOLDS = 4
FOLD_SHARE = 16  # one fold is a sixteenth of the rows before the holdout: old ones mislead about the window
FOLD_ROWS = 250  # where that is fewer rows, so many, but not more than are searched on
SEARCH_SHARE = 8  # an eighth: hyperparameters, and the number of trees above all, need more rows than a comparison
FEWEST = 100  # below, a fold would have fewer than ten rows

Window = timedelta | None


@dataclass(frozen=True, slots=True)
class Span:
    """Rows from *start* up to, not including, *stop*."""

    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    Which rows are learned from, and which they are judged on.

    Attributes:
        windows: Lengths of memory worth trying, the configured one first.
        folds: On which they are tried, the newest first; all before the holdout.
        search: On which hyperparameters are searched: the newest rows before the holdout.
        holdout: The newest rows; nothing is chosen by looking at them.
    """

    windows: tuple[Window, ...]
    folds: tuple[Span, ...]
    search: Span
    holdout: Span


def lay_out(
    training: Training, times: NDArray[np.float64], *, seen_until: float | None = None, least: int = 1
) -> Layout:
    """
    Divide the rows by time.

    A window is how far a model looks back from the newest row it learns from: the same
    length is used before every fold, before the holdout, and for the published model.

    A champion must not be judged on rows that it has learned from, nor a challenger be
    denied all that is newer: so at most half of the rows that the champion has not seen
    become the holdout.

    Args:
        training: Names the windows, the share of the holdout and the fewest rows.
        times: Epoch seconds, ascending.
        seen_until: Time of the newest row that the champion has learned from.
        least: Rows that the holdout should have, even if the champion has seen some.

    Raises:
        NotEnoughData: If no window holds enough rows.
    """
    needed = max(training.min_rows, FEWEST)
    windows = _distinct((training.window, *training.candidate_windows, *_new(training, times, seen_until)), times)
    enough = tuple(window for window in windows if before(times, len(times), window).rows >= needed)
    if not enough:
        raise _too_few(windows, times, needed)
    whole = before(times, len(times), enough[0])
    cut = whole.stop - _holdout_rows(whole.rows, training.holdout, unseen(times, seen_until), least)
    search = Span(cut - _searched(cut - whole.start), cut)
    return Layout(windows=enough, folds=_folds(whole.start, cut), search=search, holdout=Span(cut, whole.stop))


def before(times: NDArray[np.float64], stop: int, window: Window, *, gap: float = 0.0) -> Span:
    """
    Rows before *stop* that are at most *window* older than the newest of them.

    Args:
        times: Epoch seconds, ascending.
        stop: Number of the first row that is judged on; len(times) if none is.
        window: Length of memory.
        gap: Seconds; rows that are closer to row *stop* are left out. Labels that overlap would tell the
            answers otherwise (an embargo: Lopez de Prado 2018, Advances in Financial Machine Learning, ch. 7).
    """
    if gap > 0 and stop < len(times):
        stop = int(np.searchsorted(times[:stop], times[stop] - gap, side="right"))
    if window is None or stop == 0:
        return Span(0, stop)
    oldest = times[stop - 1] - window.total_seconds()
    return Span(int(np.searchsorted(times[:stop], oldest, side="left")), stop)


def unseen(times: NDArray[np.float64], until: float | None) -> int:
    """Count the rows after *until*; all without one."""
    return len(times) if until is None else len(times) - int(np.searchsorted(times, until, side="right"))


def window_text(window: Window) -> str:
    """Name a window for people."""
    return "all" if window is None else text(window)


def _holdout_rows(rows: int, share: float, unseen: int, least: int) -> int:
    return max(1, min(round(rows * share), max(least, unseen // 2)))


def _folds(start: int, stop: int) -> tuple[Span, ...]:
    rows = stop - start
    size = max(rows // FOLD_SHARE, min(FOLD_ROWS, _searched(rows)))
    return tuple(Span(stop - (n + 1) * size, stop - n * size) for n in range(FOLDS))


def _searched(rows: int) -> int:
    return max(1, rows // SEARCH_SHARE)


def _distinct(windows: tuple[Window, ...], times: NDArray[np.float64]) -> tuple[Window, ...]:
    """Leave out windows that hold the same rows as one before."""
    first: dict[int, Window] = {}
    for window in windows:
        first.setdefault(before(times, len(times), window).start, window)
    return tuple(first.values())


def _new(training: Training, times: NDArray[np.float64], seen_until: float | None) -> tuple[Window, ...]:
    """As long as what is new since the champion, if that is wished, and there are a champion and new rows."""
    if not training.since_champion or seen_until is None or not len(times) or times[-1] <= seen_until:
        return ()
    return (timedelta(seconds=float(np.ceil(times[-1] - seen_until))),)


def _too_few(windows: tuple[Window, ...], times: NDArray[np.float64], needed: int) -> NotEnoughData:
    found = ", ".join(f"{before(times, len(times), window).rows} in window {window_text(window)}" for window in windows)
    return NotEnoughData(
        "Nothing was trained.",
        f"Labelled rows found: {found} (of {len(times)} in all); needed: {needed}.",
        "Wait for more labels, widen training.window, or lower training.min_rows.",
    )
