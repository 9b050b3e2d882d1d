"""Nothing that the log can hold stops the index: one bad line would otherwise stop it for ever."""

import sqlite3

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from registry.eventlog.lines import frame

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | NUMBERS | st.text(max_size=4) | st.booleans()
ANY_EVENT = st.one_of(
    st.builds(
        predicted,
        TEXT,
        key=st.none() | TEXT,
        time=NUMBERS,
        model=TEXT,
        phase=TEXT,
        features=st.dictionaries(TEXT, VALUES, max_size=3),
        score=st.none() | NUMBERS,
        prediction=st.none() | NUMBERS | st.integers(-(2**63), 2**63 - 1),
        latency_ms=NUMBERS,
        shadows=st.lists(TEXT, max_size=2).map(tuple),
    ),
    st.builds(observed, TEXT, value=NUMBERS, time=NUMBERS, metric=TEXT, model=TEXT, prediction_id=TEXT),
    st.builds(observed, TEXT, value=NUMBERS, time=NUMBERS, metric=TEXT, model=TEXT, key=TEXT),
    st.builds(shadowed, TEXT, model=TEXT, version=TEXT, score=st.none() | NUMBERS, error=st.none() | TEXT),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY_EVENT, max_size=8))
def test_every_event_that_can_be_written_can_be_read_joined_and_measured(tmp_path_factory, events):
    index = Index(tmp_path_factory.mktemp("log")).take(*events, predicted("last"))

    assert index.ingest.torn == 0
    assert index.metrics().predictions >= 1
    for model in {event.model for event in events}:
        assert index.metrics(model).model == model


GARBAGE = [
    b"",
    b"\n",
    b"\0" * 4096 + b"\n",
    b"not a line of ours\n",
    b"zzzzzzzz {}\n",
    frame(b"{}"),
    frame(b'{"type": "from the future", "model": "m"}'),
    frame(b"[" * 100_000),
    frame(msgspec.json.encode(predicted("half")))[:40] + b"\n",
    frame(msgspec.json.encode(observed("o", value=1.0)).replace(b"1.0", b'"1.0"', 1)),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_between_two_lines_costs_neither_of_them(tmp_path, garbage):
    index = Index(tmp_path).take(predicted("before"))
    [path] = index.events.iterdir()
    with path.open("ab") as file:
        file.write(garbage)

    index.take(predicted("after"))

    ids = [id_ for (id_,) in index.db.execute("SELECT id FROM predictions ORDER BY seq")]
    assert (ids[0], ids[-1]) == ("before", "after")
    assert index.ingest.torn == (0 if garbage in (b"", b"\n") else 1)


def test_what_fails_in_the_middle_of_a_bite_is_read_again_whole(tmp_path):
    index = Index(tmp_path).take(predicted("p"))
    index.writer.append([predicted("q"), observed("o", prediction_id="p"), observed("o2", prediction_id="q")])
    index.db.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON outcomes WHEN NEW.seq = 2"
        " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )

    with pytest.raises(sqlite3.IntegrityError, match="full"):
        index.ingest.catch_up()
    assert index.joined() == []
    assert index.db.execute("SELECT COUNT(*) FROM predictions").fetchone() == (1,)

    index.db.execute("DROP TRIGGER full")
    index.take()

    assert index.joined() == [("p", "label", 1.0), ("q", "label", 1.0)]
    assert index.counts() == {"joined": 2}
