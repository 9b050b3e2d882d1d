"""Dates of a table: in whatever type they come, they are the epoch seconds that the router reads."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.config.load import parse_config
from flows.data.dates import moments
from flows.data.prepare import features_only, prepare
from flows.errors import DataError
from registry.scoring.dates import moment_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = parse_config(
    {"model": "m", "task": "binary", "target": "y", "features": {"numeric": ["x"], "dates": ["sent"]}}, "test"
)
NOTATIONS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ"]
NOTATIONS += ["%Y-%m-%dT%H:%M:%S+02:00", "%Y-%m-%dT%H:%M:%S-0530"]
DATES = st.datetimes(datetime(1000, 1, 1), datetime(9998, 1, 1))  # noqa: DTZ001 (a notation adds the zone)


def of(values, **changes):
    return pl.DataFrame({"x": [1.0] * len(values), "sent": values, "y": [0, 1] * (len(values) // 2)} | changes)


@given(st.lists(st.tuples(DATES, st.sampled_from(NOTATIONS)), min_size=1, max_size=6))
@settings(max_examples=60)
def test_text_in_mixed_notations_is_read_as_the_router_reads_it(written):
    texts = [moment.strftime(notation) for moment, notation in written]

    assert moments(pl.Series(texts)).to_list() == [moment_of(text) for text in texts]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([NOON, None]),
        pl.Series([NOON, None]).dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([NOON.replace(tzinfo=None), None], dtype=pl.Datetime("ns")),
        pl.Series([NOON.replace(tzinfo=None), None], dtype=pl.Datetime("ms")),
        pl.Series([NOON.isoformat(), None]),
        pl.Series(["2026-03-01T07:00:00-05:00", None]),
        pl.Series([NOON.timestamp(), float("nan")]),
        pl.Series([int(NOON.timestamp()), None]),
    ],
    ids=str,
)
def test_every_type_of_date_is_the_same_moment(column):
    read = prepare(CONFIG, of(column))

    assert read["sent"].to_list() == [NOON.timestamp(), None]
    assert features_only(CONFIG, read)["sent"].to_list() == [NOON.timestamp(), None]


def test_a_day_is_its_midnight():
    assert moments(pl.Series([date(1960, 1, 1)])).to_list() == [datetime(1960, 1, 1, tzinfo=UTC).timestamp()]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["2026-03-01", "01/03/2026"], "'sent' holds '01/03/2026', expected ISO 8601 dates or epoch seconds"),
        (["2026-03-01", "2026-02-30"], "'sent' holds '2026-02-30'"),
        ([1.77e12, None], "'sent' holds 1770000000000.0"),
        ([True, False], "'sent' holds Boolean"),
        ([timedelta(1), None], "'sent' holds Duration"),
    ],
)
def test_what_is_no_date_is_refused_by_name(values, said):
    with pytest.raises(DataError, match="The table") as refused:
        prepare(CONFIG, of(values))

    assert said in refused.value.why
    with pytest.raises(DataError, match="The table"):
        features_only(CONFIG, of(values))


def test_a_column_is_of_one_kind_only():
    with pytest.raises(Exception, match="feature 'x' is listed twice"):
        parse_config(
            {"model": "m", "task": "binary", "target": "y", "features": {"numeric": ["x"], "dates": ["x"]}}, "test"
        )
