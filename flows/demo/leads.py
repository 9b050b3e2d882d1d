"""
A stream of sales leads that drifts twice.

Every three minutes somebody asks for a quote. Most of what a salesperson would look at is there:

| column | kind | missing |
|---|---|---|
| age | years | 8 % |
| visits, pages | counts on the site | |
| minutes | on the site, skewed | 4 % |
| quote | price offered | |
| discount | percent | |
| channel | search, social, referral, email, partner | 3 % |
| device | desktop, mobile, tablet | |
| region | north, south, east, west, overseas | |

The truth is `converted` (yes or no), a logistic function of these columns, and `revenue` (the KPI:
0, or about the quote). Two things change on the way:

- **abruptly** at 40 %: a campaign floods the site with visitors from social media who read many
  pages without buying, while people who leave early call back and do buy; what used to be a good sign is now
  a bad one (data and concept drift);
- **gradually** from 75 to 95 %: prices lose their weight, discounts gain it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

ABRUPT_AT = 0.40
GRADUAL_FROM, GRADUAL_UNTIL = 0.75, 0.95
EVERY = timedelta(minutes=3)
CHANNELS = ("search", "social", "referral", "email", "partner")
DEVICES = ("desktop", "mobile", "tablet")
REGIONS = ("north", "south", "east", "west", "overseas")
_MIX_BEFORE, _MIX_AFTER = (0.40, 0.15, 0.20, 0.15, 0.10), (0.22, 0.45, 0.13, 0.12, 0.08)
_CHANNEL_BEFORE, _CHANNEL_AFTER = (0.2, 0.6, 0.9, -0.2, -1.0), (0.4, -1.2, 0.6, 0.5, 0.2)
_REGION = (0.3, 0.0, -0.2, 0.1, -0.5)
_DEVICE = (0.3, -0.2, 0.0)

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traits:
    age: Numbers
    visits: Numbers
    pages: Numbers
    minutes: Numbers
    quote: Numbers
    discount: Numbers
    channel: NDArray[np.int64]
    device: NDArray[np.int64]
    region: NDArray[np.int64]


def leads(rows: int, *, seed: int, end: datetime) -> pl.DataFrame:
    """
    Make the stream.

    Args:
        rows: How many leads; the drifts are at shares of it.
        seed: The same seed gives the same leads.
        end: When the last one comes; they are three minutes apart.

    Returns:
        The columns above, `asked_at`, `lead` (the key), `converted` and `revenue`, in time order.
    """
    rng = np.random.default_rng(seed)
    progress = np.arange(rows) / rows
    traits = _traits(rng, progress)
    converted = rng.random(rows) < 1 / (1 + np.exp(-_logit(traits, progress)))
    return _frame(rng, traits, converted, end)


def drift_starts(rows: int, end: datetime) -> datetime:
    """When the abrupt drift begins."""
    return end.astimezone(UTC) - EVERY * (rows - 1 - int(rows * ABRUPT_AT))


def _traits(rng: np.random.Generator, progress: Numbers) -> _Traits:
    rows, after = len(progress), progress >= ABRUPT_AT
    mix = np.where(after[:, None], _MIX_AFTER, _MIX_BEFORE).cumsum(axis=1)
    channel = (rng.random(rows)[:, None] > mix).sum(axis=1).clip(max=len(CHANNELS) - 1)
    pages = rng.poisson(np.where(after & (channel == 1), 14.0, 8.0)).astype(np.float64)
    return _Traits(
        age=rng.normal(42, 12, rows).clip(18, 90).round(),
        visits=1.0 + rng.poisson(2.0, rows).astype(np.float64),
        pages=pages,
        minutes=rng.lognormal(1.6, 0.7, rows).round(2),
        quote=rng.gamma(4.0, 60.0, rows).round(2) + 50,
        discount=rng.choice([0.0, 5.0, 10.0, 20.0], rows, p=[0.5, 0.2, 0.2, 0.1]),
        channel=channel,
        device=rng.choice(len(DEVICES), rows, p=[0.45, 0.45, 0.10]),
        region=rng.choice(len(REGIONS), rows, p=[0.3, 0.25, 0.2, 0.15, 0.1]),
    )


def _logit(traits: _Traits, progress: Numbers) -> Numbers:
    after = progress >= ABRUPT_AT
    gradual = ((progress - GRADUAL_FROM) / (GRADUAL_UNTIL - GRADUAL_FROM)).clip(0, 1)
    by_channel = np.where(after, np.take(_CHANNEL_AFTER, traits.channel), np.take(_CHANNEL_BEFORE, traits.channel))
    reading = np.where(after, -0.9, 1.1) * (traits.pages - 9) / 3
    staying = np.where(after, -0.8, 1.0) * (np.log(traits.minutes) - 1.6)
    price = (-1.2 * (1 - gradual)) * (traits.quote - 290) / 120
    discount = (0.2 + 1.6 * gradual) * (traits.discount - 5) / 6
    person = 0.25 * (traits.visits - 3) + 0.15 * (traits.age - 42) / 12
    place = np.take(_REGION, traits.region) + np.take(_DEVICE, traits.device)
    return np.asarray(-0.5 + by_channel + reading + staying + price + discount + person + place)


def _frame(rng: np.random.Generator, traits: _Traits, converted: NDArray[np.bool_], end: datetime) -> pl.DataFrame:
    rows = len(converted)
    first = end.astimezone(UTC) - EVERY * (rows - 1)
    revenue = np.where(converted, traits.quote * (1 - traits.discount / 100) * rng.normal(1, 0.05, rows), 0.0)
    return pl.DataFrame(
        {
            "asked_at": [first + EVERY * row for row in range(rows)],
            "lead": [f"lead-{number}" for number in rng.integers(0, rows * 2, rows)],
            "age": _with_gaps(rng, traits.age, 0.08),
            "visits": traits.visits,
            "pages": traits.pages,
            "minutes": _with_gaps(rng, traits.minutes, 0.04),
            "quote": traits.quote,
            "discount": traits.discount,
            "channel": _with_gaps(rng, np.take(CHANNELS, traits.channel), 0.03),
            "device": np.take(DEVICES, traits.device),
            "region": np.take(REGIONS, traits.region),
            "converted": np.where(converted, "yes", "no"),
            "revenue": revenue.round(2),
        }
    )


def _with_gaps(rng: np.random.Generator, values: NDArray[np.generic], share: float) -> list[object]:
    gaps = rng.random(len(values)) < share
    return [None if gap else value for gap, value in zip(gaps, values.tolist(), strict=True)]
