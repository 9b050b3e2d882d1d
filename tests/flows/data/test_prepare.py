from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock

import polars as pl
import pytest
from data_making import make_config
from hypothesis import given
from hypothesis import strategies as st

from flows.data import feature_rows, prepare
from flows.data.prepare import EPOCH, features_only
from flows.errors import DataError

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = pl.DataFrame({"age": [30, 40], "plan": ["basic", "pro"], "left": [0, 1]})


def timed(*times):
    return pl.DataFrame({"ts": list(times), "age": 1.0, "plan": "p", "left": 0})


def test_features_are_typed_and_the_rest_is_named():
    frame = prepare(make_config(), ROWS)

    assert dict(frame.schema) == {
        "age": pl.Float64,
        "plan": pl.String,
        "_time": pl.Float64,
        "_key": pl.String,
        "_label": pl.Float64,
    }
    assert frame["_label"].to_list() == [0.0, 1.0]
    assert frame["_key"].to_list() == ["0", "1"]


def test_without_a_time_column_rows_are_row_every_apart():
    frame = prepare(make_config(data={"row_every": "30m"}), ROWS)

    assert frame["_time"].to_list() == [EPOCH, EPOCH + 1800]


@pytest.mark.parametrize(
    "moment",
    [
        MIDNIGHT,
        MIDNIGHT.replace(tzinfo=None),
        MIDNIGHT.astimezone(timezone(timedelta(hours=2))),
        date(2026, 1, 1),
        "2026-01-01 00:00:00",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01",
        int(MIDNIGHT.timestamp()),
        MIDNIGHT.timestamp(),
    ],
    ids=str,
)
def test_every_way_to_write_midnight_is_the_same_second(moment):
    frame = prepare(make_config(data={"time": "ts"}), timed(moment))

    assert frame["_time"].to_list() == [MIDNIGHT.timestamp()]


def test_nanoseconds_and_zones_do_not_shift_the_clock():
    berlin = pl.Series("ts", [MIDNIGHT]).dt.convert_time_zone("Europe/Berlin").cast(pl.Datetime("ns", "Europe/Berlin"))

    frame = prepare(make_config(data={"time": "ts"}), timed(MIDNIGHT).with_columns(berlin))

    assert frame["_time"].to_list() == [MIDNIGHT.timestamp()]


@pytest.mark.parametrize(
    "moment",
    ["01/02/2026", "yesterday", MIDNIGHT.timestamp() * 1000, float("nan"), True, [1], timedelta(1), clock(9)],
    ids=["american", "word", "milliseconds", "nan", "bool", "list", "duration", "time of day"],
)
def test_what_is_no_time_is_refused_rather_than_guessed(moment):
    with pytest.raises(DataError, match="time 'ts'"):
        prepare(make_config(data={"time": "ts"}), timed(moment))


def test_an_empty_time_is_refused_with_its_count():
    with pytest.raises(DataError, match="empty in 1 of 2 rows"):
        prepare(make_config(data={"time": "ts"}), timed(MIDNIGHT, None))


def test_rows_come_out_in_time_order_and_ties_keep_the_tables_order():
    times = [3, 1, 2, 1]
    frame = timed(*map(float, times)).with_columns(age=pl.Series([0.0, 1.0, 2.0, 3.0]))

    assert prepare(make_config(data={"time": "ts"}), frame)["age"].to_list() == [1.0, 3.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("keys", "texts"),
    [([7, 8], ["7", "8"]), (["a", "b"], ["a", "b"]), ([7.0, None], ["7", None]), ([7.5, 8.0], ["7.5", "8.0"])],
)
def test_a_key_is_written_as_the_router_would_see_it(keys, texts):
    frame = prepare(make_config(data={"key": "who"}), ROWS.with_columns(who=pl.Series(keys)))

    assert frame["_key"].to_list() == texts


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["no", "yes"], "yes"),
        ([1, 2], 2),
        ([1, 2], "2"),
        ([1.0, 2.0], "2"),
        ([False, True], None),
        ([False, True], "true"),
        ([0.0, 1.0], None),
        (pl.Series(["no", "yes"], dtype=pl.Categorical), "yes"),
        (pl.Series(["no", "yes"], dtype=pl.Enum(["yes", "no"])), "yes"),
    ],
    ids=str,
)
def test_the_positive_value_counts_as_one_whatever_its_type(values, positive):
    data = {} if positive is None else {"positive": positive}
    frame = prepare(make_config(data=data), ROWS.with_columns(left=pl.Series(values)))

    assert frame["_label"].to_list() == [0.0, 1.0]


def test_a_label_that_is_not_known_stays_unknown():
    frame = ROWS.with_columns(left=pl.Series([None, 1]))

    assert prepare(make_config(), frame)["_label"].to_list() == [None, 1.0]
    assert prepare(make_config(data={"positive": 1}), frame)["_label"].to_list() == [None, 1.0]
    assert prepare(make_config(), frame.with_columns(left=pl.lit(None)))["_label"].null_count() == 2


def test_nan_and_infinity_are_missing_values():
    frame = ROWS.with_columns(age=pl.Series([float("nan"), float("inf")]), left=pl.Series([float("nan"), 1.0]))

    ready = prepare(make_config(), frame)

    assert ready["age"].null_count() == 2
    assert ready["_label"].to_list() == [None, 1.0]


def test_kpis_are_kept_beside_the_label():
    frame = prepare(make_config(data={"kpis": {"revenue": "euros"}}), ROWS.with_columns(euros=pl.Series([5, None])))

    assert frame["_kpi_revenue"].to_list() == [5.0, None]


def test_all_mistakes_are_said_at_once():
    config = make_config(
        features={"numeric": ["age", "height"], "categorical": ["plan"]},
        data={"time": "ts", "key": "who", "kpis": {"revenue": "euros"}},
    )
    frame = pl.DataFrame({"age": ["old", "1"], "plan": "p", "left": ["a", "b"], "ts": "soon"})

    with pytest.raises(DataError) as refused:
        prepare(config, frame)
    for part in (
        "feature 'height' is no column",
        "key 'who' is no column",
        "KPI revenue 'euros' is no column",
        "'age' holds text, e.g. 'old', expected numbers",
        "time 'ts' holds 'soon'",
        "target 'left' holds 'a', 'b', set data.positive",
    ):
        assert part in str(refused.value)


def test_a_positive_value_that_never_occurs_is_a_typo():
    frame = ROWS.with_columns(left=pl.Series(["no", "yes"]))

    with pytest.raises(DataError, match="never is 'Yes', it holds 'no', 'yes'"):
        prepare(make_config(data={"positive": "Yes"}), frame)
    with pytest.raises(DataError, match="never is 'yes'"):
        prepare(make_config(data={"positive": "yes"}), ROWS)


def test_a_regression_target_must_be_a_number():
    with pytest.raises(DataError, match=r"'left' holds text, e\.g\. 'much'"):
        prepare(make_config("regression"), ROWS.with_columns(left=pl.lit("much")))


def test_reserved_names_are_refused():
    config = make_config(features={"numeric": ["_time"]})

    with pytest.raises(DataError, match="reserved"):
        prepare(config, ROWS.with_columns(_time=pl.lit(1.0)))


def test_features_only_needs_no_label():
    assert features_only(make_config(), ROWS.drop("left"))["age"].dtype == pl.Float64
    with pytest.raises(DataError, match="No column plan"):
        features_only(make_config(), ROWS.drop("plan"))


@given(
    ages=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
)
def test_feature_rows_hold_only_what_json_can_say(ages):
    frame = pl.DataFrame({"age": pl.Series(ages, dtype=pl.Float64), "plan": "p"})

    rows = feature_rows(make_config(), frame)

    assert [row["age"] for row in rows] == [
        age if age is not None and abs(age) != float("inf") and age == age else None for age in ages
    ]


@pytest.mark.parametrize("values", [[["a"], ["b"]], [{"x": 1}, {"x": 2}], [b"a", b"b"]])
def test_a_category_of_nested_values_or_bytes_is_refused_by_name(values):
    frame = pl.DataFrame({"age": [1.0, 2.0], "plan": values, "left": [0, 1]})

    with pytest.raises(DataError, match=r"'plan' holds .* expected text"):
        prepare(make_config(), frame)
