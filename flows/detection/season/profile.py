"""What the reference looked like in the course of day, week and year; no rows, some kilobytes per column."""

from typing import Literal

from registry.records.base import Record

SeasonName = Literal["hour", "weekday", "year"]


class Curve(Record, frozen=True, kw_only=True):
    """
    One column: the share of its values up to each cut, or of each level, as a function of time.

    Attributes:
        cuts: Of numbers: upper edges of all bins but the last. Levels: of categories, the
            most frequent ones; all others are a bin of their own, the last.
        coefficients: Per bin but the last (numbers: cumulative shares), one per column of
            the design; then those of the share of missing values.
        day_spread: Per row of coefficients, variance of the share from day to day beyond
            that of drawing rows; in units of p(1 - p).
        slot_spread: The same from slot to slot.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    n: int
    missing: int
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    coefficients: tuple[tuple[float, ...], ...] = ()
    day_spread: tuple[float, ...] = ()
    slot_spread: tuple[float, ...] = ()


class SeasonProfile(Record, frozen=True, kw_only=True):
    """
    All columns.

    Attributes:
        enough: Whether there were enough days to learn from.
        said: What was found, in words.
        seasons: That the curves have; asked for, or found.
        waves: Harmonics of the year.
        slot: Length of a slot in seconds: an hour, or a day where no hours are told apart.
        rows, days: Behind the profile.
        degrees: Days less the columns of the design that differ between days.
        centre: Mean of the design's columns over all rows, shape (p,).
        inverse: Inverse of the design's weighted cross-products, shape (p, p): how well a
            curve is known at a time.
    """

    rows: int
    days: int
    enough: bool
    said: str
    seasons: tuple[SeasonName, ...] = ()
    waves: int = 4
    slot: int = 86_400
    degrees: int = 0
    centre: tuple[float, ...] = ()
    inverse: tuple[tuple[float, ...], ...] = ()
    curves: tuple[Curve, ...] = ()
