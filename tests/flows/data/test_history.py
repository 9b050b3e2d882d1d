import polars as pl
import pytest
from data_making import make_config

from flows.data import history, prepare, save_seed
from flows.data.history import seed_file
from flows.errors import DataError
from registry.errors import StoreUnavailable

CONFIG = make_config(data={"key": "who", "time": "ts"})
TABLE = pl.DataFrame(
    {"who": ["a", "b", "b"], "ts": [10.0, 20.0, 20.0], "age": [1.0, 2.0, 3.0], "plan": "p", "left": [0, 1, 1]}
)


def test_the_first_table_comes_before_the_log_in_one_shape(log, client, settings, row):
    save_seed(settings, CONFIG, prepare(CONFIG, TABLE))
    log.hold(row(1, outcomes={"label": 1.0}))

    rows = history(client, CONFIG, settings)

    assert rows["_key"].to_list() == ["a", "b", "b", "k1"]
    assert rows["_label"].to_list() == [0.0, 1.0, 1.0, 1.0]
    assert rows.columns == ["age", "plan", "_time", "_key", "_label"]


def test_only_labelled_rows_are_asked_for(log, client, settings):
    history(client, CONFIG, settings)

    assert log.asked[0][1] == {"labelled": "true"}


def test_a_logged_row_that_the_first_table_has_is_taken_once(log, client, settings, row):
    save_seed(settings, CONFIG, prepare(CONFIG, TABLE))
    log.hold(row(1, key="a", time=10.0, outcomes={"label": 1.0}), row(2, key="a", time=11.0, outcomes={"label": 1.0}))

    rows = history(client, CONFIG, settings)

    assert rows.filter(pl.col("_key") == "a")["_label"].to_list() == [0.0, 1.0]


def test_rows_without_a_key_are_no_duplicates_of_each_other(log, client, settings, row):
    log.hold(*(row(n, key=None, time=5.0, outcomes={"label": 1.0}) for n in range(3)))

    assert history(client, CONFIG, settings).height == 3


def test_nothing_anywhere_is_an_empty_frame(log, client, settings):
    assert history(client, CONFIG, settings).is_empty()


def test_saving_again_replaces_the_first_table_whole(settings):
    save_seed(settings, CONFIG, prepare(CONFIG, TABLE))
    path = save_seed(settings, CONFIG, prepare(CONFIG, TABLE.head(1)))

    assert path == seed_file(settings, "churn")
    assert pl.read_parquet(path).height == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_first_table_with_other_features_is_refused_by_name(log, client, settings):
    save_seed(settings, CONFIG, prepare(CONFIG, TABLE))
    wider = make_config(features={"numeric": ["age", "height"]})

    with pytest.raises(DataError, match="no column height"):
        history(client, wider, settings)


def test_a_first_table_that_cannot_be_kept_is_refused_and_the_earlier_one_stays(settings):
    earlier = save_seed(settings, CONFIG, prepare(CONFIG, TABLE.head(1)))
    earlier.with_suffix(".tmp").mkdir()

    with pytest.raises(StoreUnavailable, match="first table of churn"):
        save_seed(settings, CONFIG, prepare(CONFIG, TABLE))
    assert pl.read_parquet(earlier).height == 1
