"""What a replay remembers survives being killed at any byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.replay.errors import ReplayStuck
from flows.replay.progress import ANSWERS, FILE, Answer, Journal, Progress


def answers(first, last, version="v1.0.0"):
    return [Answer(row, 1, 0.75, "champion", "champion", version, 3, "bucket") for row in range(first, last)]


@pytest.fixture
def begun():
    return Progress(name="r", model="r", fingerprint="f", start=10, rows=100, batch="1w", sent=10, labelled=10)


def test_answers_come_back_as_they_were_kept(tmp_path, begun):
    journal = Journal(tmp_path / "new")
    progress = journal.keep(journal.keep(begun, answers(10, 20)), answers(20, 25))

    assert journal.read() == progress
    assert progress.sent == 25
    assert journal.answers(progress) == answers(10, 25)


@given(torn=st.binary(max_size=300))
def test_answers_that_the_progress_does_not_count_are_overwritten(tmp_path_factory, torn):
    journal = Journal(tmp_path_factory.mktemp("journal"))
    begun = Progress(name="r", model="r", fingerprint="f", start=0, rows=9, batch="1w", sent=0, labelled=0)
    progress = journal.keep(begun, answers(0, 5))
    with (journal.folder / ANSWERS).open("ab") as file:
        file.write(torn)

    resumed = journal.keep(journal.read(), answers(5, 9, "v2.0.0"))

    assert journal.answers(resumed) == [*answers(0, 5), *answers(5, 9, "v2.0.0")]
    assert journal.answers(progress) == answers(0, 5)


def test_a_damaged_progress_says_how_to_go_on(tmp_path):
    (tmp_path / FILE).write_text("{")

    with pytest.raises(ReplayStuck, match="--restart"):
        Journal(tmp_path).read()


def test_a_write_leaves_no_temporary_file(tmp_path, begun):
    Journal(tmp_path).write(begun)

    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_an_answer_of_the_router_is_kept_without_its_score_if_it_has_none():
    said = {"prediction": 3.5, "variant": "champion", "assigned": "champion", "model_version": "v1.0.0"}

    kept = Answer.of(4, said | {"epoch": 1, "reason": "bucket", "prediction_id": "r-4"})

    assert msgspec.to_builtins(kept) == [4, 3.5, None, "champion", "champion", "v1.0.0", 1, "bucket"]
