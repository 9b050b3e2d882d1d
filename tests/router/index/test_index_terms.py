"""Outcomes that wait, come late or wait too long: each is counted, none is deleted."""

import pytest
from index_making import Index, observed, predicted

from registry.eventlog.segments import OUTCOMES, SegmentWriter
from router.index.terms import Terms

DAY = 86_400.0
TERMS = Terms(attribution_days=7, label_horizon_days=30, parked_days=10)


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path, terms=TERMS)


def aside(index):
    return index.db.execute("SELECT id, value, why FROM aside ORDER BY seq").fetchall()


def test_a_label_beyond_the_horizon_is_kept_aside_and_counted(index):
    index.take(predicted("p", time=0.0), predicted("now", time=31 * DAY))
    index.take(observed("in time", prediction_id="p", time=30 * DAY, metric="revenue"))
    index.take(observed("late", prediction_id="p", time=30 * DAY + 1))

    assert index.joined() == [("p", "revenue", 1.0)]
    assert index.counts() == {"joined": 1, "late": 1}
    assert aside(index) == [("late", 1.0, "late")]


def test_a_late_label_sent_again_is_a_duplicate_and_another_value_a_conflict(index):
    index.take(predicted("p", time=0.0), predicted("now", time=31 * DAY))
    index.take(*(observed("late", prediction_id="p", time=31 * DAY, value=value) for value in (1.0, 1.0, 0.0)))

    assert index.counts() == {"late": 1, "duplicate": 1, "conflict": 1}
    assert aside(index) == [("late", 1.0, "late")]


def test_in_a_replay_an_outcome_that_got_the_time_of_the_wall_clock_is_not_late(index):
    index.take(predicted("p", time=1e9), observed("o", prediction_id="p", time=1.8e9))

    assert index.joined() == [("p", "label", 1.0)]


def test_what_waits_too_long_by_the_clock_of_the_model_is_kept_aside(index):
    index.take(predicted("p", time=0.0), observed("o", prediction_id="nobody", time=1.0))
    index.take(predicted("other", model="n", time=1e9))
    assert index.counts() == {"parked": 1}

    index.take(predicted("q", time=11 * DAY))

    assert index.counts() == {"expired": 1}
    assert aside(index) == [("o", 1.0, "expired")]
    assert index.metrics().outcomes == {"expired": 1}


def test_an_expired_outcome_that_is_sent_again_joins_when_its_prediction_is_there(index):
    index.take(observed("o", prediction_id="p", time=0.0), predicted("q", time=11 * DAY))
    index.take(observed("o", prediction_id="p", time=0.0), predicted("p", time=11 * DAY))
    assert index.counts() == {"expired": 1, "duplicate": 1}

    index.take(observed("o", prediction_id="p", time=11 * DAY))

    assert index.joined() == [("p", "label", 1.0)]
    assert index.counts() == {"expired": 1, "duplicate": 1, "joined": 1}


def test_many_expire_a_part_at_a_time_and_none_is_forgotten(index, monkeypatch):
    monkeypatch.setattr("router.index.parking._MOST_EXPIRED", 10)
    index.take(*(observed(f"o{n}", prediction_id="nobody", time=0.0) for n in range(25)))
    index.take(predicted("q", time=11 * DAY))

    for _ in range(3):
        index.take()

    assert index.counts() == {"expired": 25}


def test_an_outcome_by_key_finds_the_newest_prediction_although_files_are_read_one_by_one(tmp_path):
    index = Index(tmp_path, terms=TERMS).take(predicted("old", time=1.0))
    outcomes = SegmentWriter(index.events, OUTCOMES)

    index.writer.append([predicted("new", time=2.0)])
    outcomes.append([observed("o", key="a", time=3.0)])
    index.take()

    assert index.joined() == [("new", "label", 1.0)]


def test_what_is_written_while_predictions_are_read_waits_for_the_next_time(tmp_path, monkeypatch):
    index = Index(tmp_path, terms=TERMS).take(predicted("old", time=1.0))
    outcomes = SegmentWriter(index.events, OUTCOMES)
    outcomes.append([observed("first", key="b", time=3.0)])
    index.writer.append([predicted("q", key="c", time=2.0)])
    read = index.ingest._first.payloads

    def while_callers_go_on(path, offset, limit):
        found = read(path, offset, limit)
        index.writer.append([predicted("new", time=2.0)])
        outcomes.append([observed("o", key="a", time=3.0)])
        return found

    with monkeypatch.context() as patch:
        patch.setattr(index.ingest._first, "payloads", while_callers_go_on)
        index.take()
    assert index.counts() == {"parked": 1}
    index.take()

    assert index.joined() == [("new", "label", 1.0)]


@pytest.mark.parametrize("name", ["UNDERSTUDY_ATTRIBUTION_DAYS", "UNDERSTUDY_LABEL_HORIZON_DAYS"])
def test_terms_come_from_the_environment(name, monkeypatch):
    monkeypatch.setenv(name, "2")

    terms = Terms()
    assert 2 * DAY in (terms.attribution_s, terms.horizon_s)
