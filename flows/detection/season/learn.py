"""Rows with a time become a season profile."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from flows.detection.season.bins import Cuts, cuts_of
from flows.detection.season.calendar import DAY, HOUR, Ints, design, seconds
from flows.detection.season.found import shows
from flows.detection.season.profile import Curve, SeasonName, SeasonProfile
from flows.detection.season.regression import excess, fit, grouped, rank, variances
from flows.detection.season.slots import Slots

Floats = NDArray[np.float64]
LEAST_DAYS = 14
_WEEKS, _YEAR = 21, 350  # days from which a weekday, and a time of the year, can be told from chance
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Sampled:
    """One column by slot: shares of its values, how many are there, and the share that is missing."""

    name: str
    cuts: Cuts
    shares: Floats
    there: Floats
    missing: Floats


def season_profile(frame: pl.DataFrame, config: ModelConfig) -> SeasonProfile:
    """
    Learn what every feature looks like in the course of time.

    Args:
        frame: Features and `_time`, in any order; rows without a time are left aside.
        config: Names the features, and the seasons (`detection.season`).

    Returns:
        `enough` is False where there are fewer than 14 days.
    """
    rows = frame.filter(pl.col("_time").is_not_null()) if "_time" in frame.columns else frame.clear()
    moments = seconds(rows["_time"]) if rows.height else np.zeros(0, dtype=np.int64)
    days = np.unique(moments // DAY).size
    if days < LEAST_DAYS:
        said = f"not enough data: {days} days with a time, {LEAST_DAYS} are needed"
        return SeasonProfile(rows=rows.height, days=days, enough=False, said=said)
    possible = _possible(moments, config)
    slots = Slots.of(moments, HOUR if "hour" in possible else DAY)
    sampled = list(_sampled(rows, slots, config))
    found = config.detection.season.seasons == "auto"
    seasons = possible if not found else _found(slots, sampled, possible, config)
    return _profile(rows.height, days, slots, sampled, seasons, config)


def _profile(
    rows: int, days: int, slots: Slots, sampled: list[Sampled], seasons: tuple[SeasonName, ...], config: ModelConfig
) -> SeasonProfile:
    waves = config.detection.season.waves
    columns = design(slots.moments, seasons, waves)
    by_day, _ = grouped(design(slots.moments, _longer(seasons), waves), slots.rows, slots.day)
    degrees = max(0, days - rank(by_day))
    return SeasonProfile(
        rows=rows,
        days=days,
        enough=degrees > 0,
        said=_said(days, degrees, seasons, config),
        seasons=seasons,
        waves=waves,
        slot=HOUR if "hour" in seasons else DAY,
        degrees=degrees,
        centre=_row(np.average(columns, axis=0, weights=slots.rows)),
        inverse=_kept(fit(columns, slots.rows, np.zeros((slots.rows.size, 1))).inverse),
        curves=tuple(_curve(one, columns, slots, degrees) for one in sampled),
    )


def _possible(moments: Ints, config: ModelConfig) -> tuple[SeasonName, ...]:
    """Seasons that were asked for, or might be found, as far as there are days enough to tell them."""
    asked = config.detection.season.seasons
    span = (int(moments.max()) - int(moments.min())) / DAY
    hours = np.unique(moments % DAY // HOUR).size > 1
    weeks = _WEEKS if asked == "auto" else LEAST_DAYS
    told: tuple[tuple[bool, SeasonName], ...] = (
        (hours, "hour"),
        (span >= weeks - 1, "weekday"),
        (span >= _YEAR, "year"),
    )
    return tuple(name for can, name in told if can and (asked == "auto" or name in asked))


def _sampled(rows: pl.DataFrame, slots: Slots, config: ModelConfig) -> Iterator[Sampled]:
    features = config.features
    kinds = [*((name, True) for name in features.numeric), *((name, False) for name in features.categorical)]
    for name, numeric in kinds:
        if name not in rows.columns:
            continue
        cuts = cuts_of(rows[name], numeric=numeric)
        shares, there = slots.shares(rows[name], cuts)
        yield Sampled(name, cuts, shares, there, 1 - there / slots.rows)


def _found(
    slots: Slots, sampled: list[Sampled], possible: tuple[SeasonName, ...], config: ModelConfig
) -> tuple[SeasonName, ...]:
    """Seasons that show in at least one share of one column, beside the others."""
    waves = config.detection.season.waves
    tests = sum(one.shares.shape[1] for one in sampled)

    def needed(season: SeasonName) -> bool:
        beside = possible if season == "hour" else _longer(possible)
        others = tuple(name for name in beside if name != season)
        whole, part = (design(slots.moments, names, waves) for names in (beside, others))
        by = np.arange(slots.rows.size) if season == "hour" else slots.day
        return any(shows(whole, part, one.shares, one.there, by, tests) for one in sampled)

    return tuple(season for season in possible if needed(season))


def _said(days: int, degrees: int, seasons: tuple[SeasonName, ...], config: ModelConfig) -> str:
    names, asked = ", ".join(seasons) or "none", config.detection.season.seasons
    if not degrees:
        return f"not enough data: {days} days for the seasons {names}"
    untold = [name for name in asked if name not in seasons] if asked != "auto" else []
    parts = [f"seasons: {names}", f"{days} days"]
    parts += [f"too few to tell the {name}" for name in untold]
    return "; ".join([*parts, *(["no year yet: what the year does is drift"] if days < _YEAR else [])])


def _longer(seasons: tuple[SeasonName, ...]) -> tuple[SeasonName, ...]:
    """Seasons that differ between days."""
    return tuple(name for name in seasons if name != "hour")


def _curve(one: Sampled, columns: Floats, slots: Slots, degrees: int) -> Curve:
    shares = fit(columns, one.there, one.shares)
    missing = fit(columns, slots.rows, one.missing[:, None])
    day, slot = _spreads(one.shares, shares.curves, one.there, slots, degrees)
    lost_day, lost_slot = _spreads(one.missing[:, None], missing.curves, slots.rows, slots, degrees)
    return Curve(
        name=one.name,
        kind="numeric" if one.cuts.numeric else "categorical",
        n=int(one.there.sum()),
        missing=int((slots.rows - one.there).sum()),
        cuts=one.cuts.edges,
        levels=one.cuts.levels,
        coefficients=_kept(np.vstack([shares.coefficients, missing.coefficients])),
        day_spread=_row(np.concatenate([day, lost_day])),
        slot_spread=_row(np.concatenate([slot, lost_slot])),
    )


def _spreads(shares: Floats, curves: Floats, rows: Floats, slots: Slots, degrees: int) -> tuple[Floats, Floats]:
    """Variance from day to day, and from slot to slot, beyond that of drawing rows."""
    residuals, variance = shares - curves, variances(curves, np.average(curves, axis=0, weights=rows + 1e-9))
    daily, by_day = grouped(residuals, rows, slots.day)
    usual, _ = grouped(variance, rows, slots.day)
    full, some = by_day > 0, rows > 0
    return (
        excess(daily[full], by_day[full], usual[full], degrees - int((~full).sum())),
        excess(residuals[some], rows[some], variance[some], int(some.sum()) - int(by_day.size - degrees)),
    )


def _kept(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(_row(row) for row in values)


def _row(values: Floats) -> tuple[float, ...]:
    """Six digits are more than the rows behind them can tell."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
