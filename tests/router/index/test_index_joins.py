"""Outcomes find their predictions, whatever the order, and the log can be read again at any time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.events import Observed, Predicted
from router.index.ingest import ATTRIBUTION_S, Ingest
from router.index.schema import open_index
from router.segments import SegmentWriter


def predicted(id_, *, key="a", time=0.0, version="v1.0.0"):
    return Predicted(
        model="m",
        id=id_,
        key=key,
        time=time,
        features={"x": 1.0},
        assigned="champion",
        served="champion",
        assigned_version=version,
        version=version,
        epoch=1,
        phase="first",
        enrolled=True,
        reason="split",
        score=0.5,
        prediction=1,
        latency_ms=0.1,
    )


def observed(id_, *, value=1.0, prediction_id=None, key=None, time=1.0, metric="label"):
    return Observed(model="m", id=id_, prediction_id=prediction_id, key=key, metric=metric, value=value, time=time)


class Index:
    def __init__(self, folder, name="index.sqlite"):
        self.events = folder / "events"
        self.writer = SegmentWriter(self.events, "worker")
        self.db = open_index(folder / name)
        self.ingest = Ingest(self.db, self.events)

    def take(self, *events):
        for event in events:
            assert self.writer.append([event])
        self.ingest.catch_up()
        return self

    def joined(self):
        rows = self.db.execute("SELECT prediction_id, metric, value FROM outcomes ORDER BY 1, 2").fetchall()
        return [tuple(row) for row in rows]

    def counts(self):
        return {name: n for name, n in self.db.execute("SELECT name, n FROM counts") if n}


def test_an_outcome_joins_its_prediction_whichever_comes_first(tmp_path):
    one = Index(tmp_path / "one").take(predicted("p"), observed("o", prediction_id="p"))
    other = Index(tmp_path / "other").take(observed("o", prediction_id="p"), predicted("p"))

    assert one.joined() == other.joined() == [("p", "label", 1.0)]
    assert one.counts() == other.counts() == {"joined": 1}


def test_the_first_value_is_kept_and_another_one_is_a_conflict(tmp_path):
    index = Index(tmp_path).take(
        predicted("p"),
        observed("o1", prediction_id="p", value=1.0),
        observed("o2", prediction_id="p", value=1.0),
        observed("o3", prediction_id="p", value=0.0),
    )

    assert index.joined() == [("p", "label", 1.0)]
    assert index.counts() == {"joined": 1, "duplicate": 1, "conflict": 1}


def test_metrics_of_one_prediction_do_not_disturb_each_other(tmp_path):
    index = Index(tmp_path).take(
        predicted("p"),
        observed("o1", prediction_id="p"),
        observed("o2", prediction_id="p", metric="revenue", value=49.9),
    )

    assert index.joined() == [("p", "label", 1.0), ("p", "revenue", 49.9)]


def test_a_key_means_its_newest_prediction_before_the_outcome(tmp_path):
    index = Index(tmp_path).take(
        predicted("old", time=10),
        predicted("new", time=20),
        predicted("later", time=40),
        observed("o", key="a", time=30),
    )

    assert index.joined() == [("new", "label", 1.0)]


def test_a_key_means_nothing_older_than_the_attribution_window(tmp_path):
    index = Index(tmp_path).take(predicted("p", time=0), observed("o", key="a", time=ATTRIBUTION_S + 1))

    assert index.joined() == []
    assert index.counts() == {"parked": 1}


def test_a_prediction_sent_again_before_its_label_replaces_the_first(tmp_path):
    index = Index(tmp_path).take(predicted("p", version="v1.0.0"), predicted("p", version="v1.1.0"))

    assert [tuple(row) for row in index.db.execute("SELECT id, version FROM predictions")] == [("p", "v1.1.0")]


def test_after_a_restart_nothing_is_read_twice_and_nothing_is_left_out(tmp_path):
    index = Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"))
    index.db.close()

    again = Index(tmp_path)
    assert again.ingest.catch_up() == 0
    again.take(predicted("q"), observed("o2", prediction_id="q"))

    assert again.counts() == {"joined": 2}


EVENTS = st.lists(
    st.one_of(
        st.builds(predicted, st.sampled_from("pqr"), key=st.sampled_from("ab"), time=st.integers(0, 5).map(float)),
        st.builds(
            observed,
            st.integers(0, 9).map(str),
            value=st.sampled_from([0.0, 1.0]),
            prediction_id=st.sampled_from("pqr"),
            time=st.integers(0, 9).map(float),
        ),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_an_index_made_again_from_the_log_is_the_same(tmp_path_factory, events):
    folder = tmp_path_factory.mktemp("log")
    step_by_step = Index(folder).take()
    for event in events:
        step_by_step.take(event)

    at_once = Index(folder, "again.sqlite")
    at_once.ingest.catch_up()

    assert at_once.joined() == step_by_step.joined()
    assert at_once.counts() == step_by_step.counts()


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_every_outcome_is_counted_exactly_once(tmp_path_factory, events):
    index = Index(tmp_path_factory.mktemp("log")).take(*events)

    assert sum(index.counts().values()) == sum(isinstance(event, Observed) for event in events)
