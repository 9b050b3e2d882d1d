"""Parts of dates: what they mean, and that machine code, numpy and the calendar agree."""

import functools
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import InvalidRecord
from registry.scoring.dates import EARLIEST, LATEST, PARTS, WAVES, YEAR, Cycle, moment_of, phases, turned, waves
from registry.scoring.encoder import Encoder
from registry.scoring.scorer import Scorer
from registry.scoring.spec import DateColumn, NumericColumn, ScorerSpec


def start_of(year):
    return datetime(year, 1, 1)  # noqa: DTZ001 (hypothesis adds the zone)


HOUR, DAY = 3600, 86_400
SECONDS = st.one_of(
    st.floats(EARLIEST, LATEST, exclude_max=True),
    st.integers(int(EARLIEST), int(LATEST) - 1).map(float),
    st.integers(-40_000, 40_000).map(lambda days: float(days * DAY)),
)


def column_of(cycle):
    return DateColumn(feature="sent", cycle=cycle, shift=7.0, scale=3.0, fill=1000.0)


def one_of(cycle):
    """A scorer that says nothing but what the column is."""
    spec = ScorerSpec(task="regression", kind="linear", columns=(column_of(cycle),), coefficients=(1.0,))
    return Scorer(spec)


@functools.cache
def scorers():
    return {cycle: one_of(cycle) for cycle in (*PARTS, *WAVES)}


WRONG = ["", "yesterday", "2026-02-30", "2026-13-01", "01/02/2026", "20260301", "2026-W09-7", "2026-03-01T25:00", "1e9"]
WRONG += ["2026-03-01T10", "2026-03-01T10:00+99:00", "\u0662026-03-01"]
ODD = [1.7e12, float("nan"), float("inf"), True, [], {}, None]


@given(st.lists(SECONDS, min_size=1, max_size=8))
@settings(max_examples=150)
def test_machine_code_says_what_numpy_says_to_the_last_bit_also_before_1970(seconds):
    rows = [{"sent": one} for one in seconds] + [{"sent": None}]
    values = np.array([*seconds, np.nan])
    for cycle, scorer in scorers().items():
        plain = turned(values, cycle)
        wanted = (np.where(np.isnan(plain), 1000.0, plain) - 7.0) / 3.0

        assert scorer.compiled is not None
        assert scorer.score(rows).tolist() == wanted.tolist()
        assert Encoder(scorer.spec).matrix(rows)[:, 0].tolist() == wanted.tolist()


@given(st.datetimes(start_of(1600), start_of(2400), timezones=st.just(UTC)))
def test_the_parts_are_those_of_the_calendar(moment):
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    hour, weekday, year = phases(np.array([[float(seconds)]]))[0].tolist()

    assert hour // HOUR == moment.hour
    assert weekday == moment.weekday() * DAY
    day = (year / DAY - (moment.timetuple().tm_yday - 1)) % (YEAR / DAY)
    assert min(day, YEAR / DAY - day) <= 2.5


@given(SECONDS, st.sampled_from(PARTS))
def test_waves_have_no_jump_where_a_period_ends(seconds, cycle):
    [one, other] = [wave for wave in WAVES if wave.period == cycle.period]
    places = np.array([seconds, seconds + (cycle.step or 1.0)])

    for wave in (one, other):
        first, second = turned(places, wave)
        assert 0 <= first <= cycle.period / 2
        assert abs(second - first) <= (cycle.step or 1.0) * (1 + 1e-9) + 1e-3


def test_waves_tell_every_hour_and_every_weekday_apart():
    hours = waves(np.arange(0, DAY, HOUR, dtype=np.float64)[:, None])[:, :2]
    days = waves(np.arange(0, 7 * DAY, DAY, dtype=np.float64)[:, None])[:, 2:4]

    assert len({tuple(row) for row in hours.tolist()}) == 24
    assert len({tuple(row) for row in days.tolist()}) == 7


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T14:30:00Z", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01 14:30", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01T00:30:00+02:00", datetime(2026, 2, 28, 22, 30, tzinfo=UTC)),
        ("2026-03-01T00:30:00.25-0530", datetime(2026, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)),
        ("1931-05-06T07:08:09", datetime(1931, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (1_000_000_000, datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)),
    ],
)
def test_a_date_is_read_in_utc_unless_it_says_otherwise(said, meant):
    assert moment_of(said) == meant.timestamp()


@pytest.mark.parametrize(
    "wrong",
    [*WRONG, *ODD],
)
def test_anything_else_is_no_date(wrong):
    with pytest.raises(ValueError):
        moment_of(wrong)


@given(st.datetimes(start_of(2), start_of(9998), timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_zone(here, minutes):
    there = here.astimezone(timezone(timedelta(minutes=minutes)))

    assert moment_of(there.isoformat()) == moment_of(here.isoformat()) == pytest.approx(here.timestamp(), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"period": 0.0}, {"period": float("inf")}, {"period": 1.0, "step": -1.0}])
def test_a_cycle_that_cannot_be_computed_is_refused(wrong):
    with pytest.raises(InvalidRecord, match="sent: a period must be above 0"):
        one_of(Cycle(**wrong))


def test_a_spec_without_dates_has_the_same_bytes_as_before_there_were_any():
    raw = msgspec.json.encode(NumericColumn(feature="x"), order="sorted")

    assert raw == (
        b'{"factor":1.0,"feature":"x","fill":null,"offset":0.0,"otherwise":null,"scale":1.0,"shift":0.0,"type":"numeric"}'
    )
