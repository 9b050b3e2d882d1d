import polars as pl
import pytest
from data_making import make_config

from flows.client import RouterClient
from flows.data import live_frame
from flows.errors import Unreachable
from registry.home import Settings


def test_a_logged_row_comes_back_with_features_label_and_context(log, client, row):
    log.hold(row(1, weight=900_000, outcomes={"label": 1.0, "revenue": 5.0, "other": 2.0}))

    frame = live_frame(client, make_config(data={"kpis": {"revenue": "euros"}}))

    assert frame.row(0, named=True) == {
        "age": 30.0,
        "plan": "basic",
        "_sequence": 1,
        "_time": 1001.0,
        "_key": "k1",
        "_score": 0.7,
        "_prediction": 1.0,
        "_variant": "champion",
        "_assigned": "champion",
        "_version": "v1.0.0",
        "_phase": "first",
        "_reason": "bucket",
        "_enrolled": True,
        "_latency_ms": 1.0,
        "_weight": 900_000,
        "_label": 1.0,
        "_kpi_revenue": 5.0,
    }


def test_an_empty_log_is_a_frame_of_the_same_shape(log, client, row):
    config = make_config(data={"kpis": {"revenue": "euros"}})
    empty = live_frame(client, config)
    log.hold(row(1))

    assert empty.is_empty()
    assert empty.schema == live_frame(client, config).schema


def test_the_empty_frame_has_room_for_a_shadow(log, client, row):
    empty = live_frame(client, make_config(), shadow="v1.1.0")
    log.hold(row(1))

    assert empty.schema == live_frame(client, make_config(), shadow="v1.1.0").schema


def test_what_a_shadow_said_is_a_column_and_null_where_it_said_nothing(log, client, row):
    said = [
        {"v1.1.0": {"score": 0.4, "prediction": 0}, "v1.2.0": {"score": 0.9, "prediction": 1}},
        {"v1.1.0": {"error": "lag"}},
        {"v1.2.0": {"score": 0.9, "prediction": 1}},
        {},
    ]
    log.hold(*(row(number, shadows=shadows) for number, shadows in enumerate(said)))

    frame = live_frame(client, make_config(), shadow="v1.1.0")

    assert frame["_shadow"].to_list() == [0.4, None, None, None]
    assert "_shadow" not in live_frame(client, make_config()).columns


def test_keys_of_any_script_and_missing_ones_come_back(log, client, row):
    log.hold(row(1, key="Zoë 顾客"), row(2, key=None, weight=None, enrolled=False, reason="missing_key"))

    frame = live_frame(client, make_config())

    assert frame["_key"].to_list() == ["Zoë 顾客", None]
    assert frame["_weight"].to_list() == [None, None]
    assert frame["_enrolled"].to_list() == [True, False]


def test_what_is_not_there_is_null(log, client, row):
    log.hold(row(1, key=None, score=None, features={}))

    frame = live_frame(client, make_config())

    assert frame.select("age", "plan", "_key", "_score", "_label").row(0) == (None,) * 5


def test_rows_are_in_time_order_though_the_log_is_in_order_of_arrival(log, client, row):
    log.hold(row(1, time=20.0), row(2, time=10.0))

    assert live_frame(client, make_config())["_sequence"].to_list() == [2, 1]


def test_filters_reach_the_router(log, client):
    live_frame(client, make_config(), newest=5, labelled=True, phase="r-0007.2")

    assert log.asked == [("/v1/models/churn/rows", {"newest": "5", "labelled": "true", "phase": "r-0007.2"})]


def test_a_feature_that_changed_its_kind_is_read_as_far_as_it_can_be(log, client, row):
    log.hold(
        row(1, features={"age": "young", "plan": 3}),
        row(2, features={"age": 31.5, "plan": "pro"}),
        row(3, features={"age": "32", "plan": None}),
    )

    frame = live_frame(client, make_config())

    assert frame["age"].to_list() == [None, 31.5, 32.0]
    assert frame["plan"].to_list() == ["3", "pro", None]
    assert frame.schema["age"] == pl.Float64


def test_without_a_router_it_says_so(tmp_path):
    with RouterClient(Settings(home=tmp_path, router_port=1, admin_port=1)) as client, pytest.raises(Unreachable):
        live_frame(client, make_config())
