"""Outcomes find their predictions, whatever the order, and the log can be read again at any time."""

from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from registry.eventlog.events import Observed
from router.index.terms import Terms


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
    index = Index(tmp_path).take(predicted("p", time=0), observed("o", key="a", time=Terms().attribution_s + 1))

    assert index.joined() == []
    assert index.counts() == {"parked": 1}


def test_a_prediction_sent_again_before_its_label_replaces_the_first(tmp_path):
    index = Index(tmp_path).take(predicted("p"), predicted("p", version="v1.1.0"))

    assert [tuple(row) for row in index.db.execute("SELECT id, version FROM predictions")] == [("p", "v1.1.0")]


def test_after_a_restart_nothing_is_read_twice_and_nothing_is_left_out(tmp_path):
    index = Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"))
    index.db.close()

    again = Index(tmp_path)
    assert again.ingest.catch_up() == 0
    again.take(predicted("q"), observed("o2", prediction_id="q"))

    assert again.counts() == {"joined": 2}


def test_a_prediction_sent_again_in_another_phase_leaves_the_first_one(tmp_path):
    index = Index(tmp_path).take(predicted("p"), predicted("q"))
    assert [(phase.phase, phase.variants["champion"].served) for phase in index.metrics().phases] == [("first", 2)]

    index.take(predicted("p", phase="second", epoch=2))

    served = [(phase.phase, phase.variants["champion"].served) for phase in index.metrics().phases]
    assert served == [("first", 1), ("second", 1)]


def test_two_models_may_give_their_predictions_the_same_ids(tmp_path):
    index = Index(tmp_path).take(
        predicted("p"),
        observed("early", prediction_id="p", model="n", value=0.0),
        predicted("p", model="n"),
        observed("o", prediction_id="p"),
        shadowed("p", model="n"),
    )

    assert (index.joined("m"), index.joined("n")) == ([("p", "label", 1.0)], [("p", "label", 0.0)])
    assert (index.metrics("m").predictions, index.metrics("n").predictions) == (1, 1)
    assert index.metrics("m").phases[0].shadows == {}
    assert index.metrics("n").phases[0].shadows["v1.1.0"].pairs == 1


def test_of_several_outcomes_that_waited_the_first_to_arrive_is_kept(tmp_path):
    index = Index(tmp_path).take(
        observed("z", prediction_id="p", value=1.0),
        observed("a", prediction_id="p", value=0.0),
        predicted("p"),
    )

    assert index.joined() == [("p", "label", 1.0)]
    assert index.counts() == {"joined": 1, "conflict": 1}


def test_an_outcome_that_waits_is_told_from_its_copy_and_from_its_contradiction(tmp_path):
    index = Index(tmp_path).take(*(observed("o", prediction_id="p", value=value) for value in (1.0, 1.0, 0.0)))

    assert index.counts() == {"parked": 1, "duplicate": 1, "conflict": 1}


def test_a_label_that_comes_months_later_by_prediction_id_still_joins(tmp_path):
    index = Index(tmp_path).take(predicted("p", time=0), observed("o", prediction_id="p", time=200 * 86_400.0))

    assert index.joined() == [("p", "label", 1.0)]


def test_an_outcome_by_key_waits_for_a_prediction_that_is_not_younger(tmp_path):
    index = Index(tmp_path).take(observed("o", key="a", time=30), predicted("after", time=31))
    assert index.counts() == {"parked": 1}

    index.take(predicted("before", time=29))

    assert index.joined() == [("before", "label", 1.0)]


def test_a_line_longer_than_any_buffer_holds_up_nobody(tmp_path):
    index = Index(tmp_path).take(predicted("long", features={"c": "x" * (5 << 20)}), predicted("p"))

    assert index.metrics().predictions == 2


def test_catching_up_ends_although_callers_never_pause(tmp_path, monkeypatch):
    index, reads = Index(tmp_path).take(predicted("p")), []
    read = index.ingest._first.payloads

    def read_while_more_comes(path, offset, limit):
        reads.append(offset)
        assert len(reads) < 20, "it runs after the callers for ever"
        found = read(path, offset, limit)
        index.writer.append([predicted(f"q{len(reads)}")])
        return found

    monkeypatch.setattr(index.ingest._first, "payloads", read_while_more_comes)
    index.writer.append([predicted("r")])

    assert index.ingest.catch_up() == 1
    assert index.metrics().predictions == 2


VARIANTS = [("champion", "champion", None), ("challenger", "challenger", None), ("challenger", "champion", "deadline")]
PREDICTED = st.builds(
    lambda id_, key, time, phase, variant, shadows: predicted(
        id_,
        key=key,
        time=float(time),
        phase=phase,
        epoch=1 + (phase == "second"),
        assigned=variant[0],
        served=variant[1],
        error=variant[2],
        shadows=shadows,
    ),
    st.sampled_from("pqr"),
    st.sampled_from(["a", "b", None]),
    st.integers(0, 5),
    st.sampled_from(["first", "second"]),
    st.sampled_from(VARIANTS),
    st.sampled_from([(), ("v1.1.0",)]),
)
VALUES, IDS, TIMES = st.sampled_from([0.0, 1.0]), st.integers(0, 9).map(str), st.integers(0, 9).map(float)
METRICS = st.sampled_from(["label", "revenue"])
OBSERVED = st.builds(
    observed, IDS, value=VALUES, time=TIMES, metric=METRICS, prediction_id=st.sampled_from("pqr")
) | st.builds(observed, IDS, value=VALUES, time=TIMES, metric=METRICS, key=st.sampled_from("ab"))
SHADOWED = st.builds(shadowed, st.sampled_from("pqr"), score=st.sampled_from([0.25, 0.75]))
EVENTS = st.lists(st.one_of(PREDICTED, OBSERVED, SHADOWED), max_size=25)
RESTARTS = st.sets(st.integers(0, 24), max_size=4)


@settings(max_examples=60, deadline=None)
@given(EVENTS, RESTARTS)
def test_an_index_made_again_from_the_log_is_the_same(tmp_path_factory, events, restarts):
    folder = tmp_path_factory.mktemp("log")
    step_by_step = Index(folder)
    for number, event in enumerate(events):
        if number in restarts:
            step_by_step.writer.close()  # a new process opens a new segment
        step_by_step.take(event).metrics()

    at_once = Index(folder, "again.sqlite").take()

    assert at_once.metrics() == step_by_step.metrics()
    assert at_once.joined() == step_by_step.joined()


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_every_outcome_is_counted_exactly_once(tmp_path_factory, events):
    index = Index(tmp_path_factory.mktemp("log")).take(*events)

    assert sum(index.counts().values()) == sum(isinstance(event, Observed) for event in events)


@settings(max_examples=40, deadline=None)
@given(st.permutations([predicted("p"), predicted("q", key="b"), *(observed(i, prediction_id=i) for i in "pq")]))
def test_labels_by_prediction_id_join_in_any_order(tmp_path_factory, events):
    index = Index(tmp_path_factory.mktemp("log")).take(*events)

    assert index.joined() == [("p", "label", 1.0), ("q", "label", 1.0)]
    assert index.counts() == {"joined": 2}
