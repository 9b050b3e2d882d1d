"""What is kept of phases that are over says what the log says, whoever is killed and whatever comes late."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from router.index import summaries
from router.index.metrics import MetricsReader

PHASES = ("first", "second", "third")
EVENTS = st.tuples(
    st.sampled_from(["prediction", "label", "copy"]), st.integers(0, 20), st.sampled_from(PHASES), st.booleans()
)


def reader(index: Index) -> MetricsReader:
    """As after a restart."""
    return MetricsReader(index.db, lambda _: "binary", lambda *_: {})


def kept(index: Index) -> set[str]:
    return {phase for (phase,) in index.db.execute("SELECT phase FROM summaries")}


@pytest.fixture
def three(tmp_path):
    index = Index(tmp_path)
    for number in range(30):
        phase = PHASES[number // 10]
        index.take(
            predicted(f"p{number}", phase=phase, epoch=1 + number // 10, time=float(number), shadows=("v1.1.0",))
        )
    index.metrics()
    return index


@settings(max_examples=40)
@given(st.lists(st.tuples(EVENTS, st.booleans()), max_size=25))
def test_after_a_restart_the_document_is_the_one_that_is_computed_from_all_rows(tmp_path_factory, steps):
    index = Index(tmp_path_factory.mktemp("log"))
    for (kind, number, phase, good), ask in steps:
        id_, epoch = f"p{number}", 1 + PHASES.index(phase)
        event = {
            "prediction": predicted(id_, phase=phase, epoch=epoch, time=float(number), shadows=("v1.1.0",)),
            "label": observed(f"o{number}", prediction_id=id_, value=float(good)),
            "copy": shadowed(id_),
        }[kind]
        index.take(event)
        if ask:
            index.metrics()

    restarted = reader(index).model("m", 1)
    index.db.execute("DELETE FROM summaries")

    assert restarted == reader(index).model("m", 1) == index.metrics()


def test_only_phases_that_are_over_are_kept_and_a_late_label_drops_its_own(three):
    assert kept(three) == {"first", "second"}

    three.take(observed("late", prediction_id="p3"))

    assert kept(three) == {"second"}
    assert three.metrics().phases[0].variants["champion"].loss.n == 1
    assert kept(three) == {"first", "second"}


def test_what_another_version_has_computed_is_computed_again(three, monkeypatch):
    three.db.execute("UPDATE summaries SET document = '{}'")
    monkeypatch.setattr(summaries, "VERSION", 2)

    assert reader(three).model("m", 1) == three.metrics()


def test_a_document_that_cannot_be_read_is_computed_again(three):
    three.db.execute("UPDATE summaries SET document = '{'")

    assert reader(three).model("m", 1) == three.metrics()


def test_the_weights_are_those_of_the_plans_and_not_those_that_were_kept(three):
    found = MetricsReader(three.db, lambda _: "binary", lambda *_: {"champion": 7}).model("m", 1)

    assert {phase.weights["champion"] for phase in found.phases} == {7}


def test_a_restart_reads_phases_that_are_over_many_times_faster_than_it_computes_them(tmp_path):
    index = Index(tmp_path)
    for number in range(60):
        index.take(*[predicted(f"{number}-{i}", phase=f"r-{number}", epoch=number + 1) for i in range(50)])

    def took() -> float:
        began = time.perf_counter()
        reader(index).model("m", 1)
        return time.perf_counter() - began

    computed = took()
    assert min(took() for _ in range(3)) < computed / 2
