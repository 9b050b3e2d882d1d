"""The summary says what happened, and whether it is good."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from flows.replay.batches import Batch
from flows.replay.books import Line
from flows.replay.page import page
from flows.replay.plot import smooth
from flows.replay.summary import Ending, Rejection, Retraining, Summary, curve, endings, headline
from flows.replay.tables import tables
from flows.replay.timetable import timetable
from registry.records.live import ModelMetrics, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step

START = datetime(2026, 3, 1, tzinfo=UTC)


def example(**changes):
    times = START.timestamp() + np.arange(200) * 3600.0
    labels = (np.arange(200) % 2).astype(float)
    good, poor = labels.copy(), np.zeros(200)
    stops = timetable(times, start=20, batch=Batch.of("1d"))
    whole = Summary(
        name="x<y",
        model="x",
        task="binary",
        metric="accuracy",
        rows=180,
        batches=8,
        start=START,
        end=START + timedelta(hours=200),
        served={"accuracy": 1.0, "auc": 1.0, "brier": 0.0},
        frozen={"accuracy": 0.5, "auc": 0.5, "brier": 0.5},
        series=curve("binary", stops, labels=labels, served=(good, good), frozen=(poor, poor)),
        retrainings=(
            Retraining(id="retrain_1", at=START, trigger="drift", reason="a & b", successful=True, version="v1.1.0"),
        ),
        rollouts=(
            Ending(
                id="r-0001",
                challenger="v1.1.0",
                champion="v1.0.0",
                status="succeeded",
                at=START,
                said="better",
                share=1.0,
            ),
        ),
        rejected=(Rejection(decision="d", challenger="v1.2.0", said="worse"),),
        books=(Line(name="rows answered", expected=180, found=180),),
    )
    return msgspec.structs.replace(whole, **changes)


def bad(status, share):
    return Ending(
        id="r-0002", challenger="v9.0.0", champion="v1.0.0", status=status, at=START, said="", share=share, bad=True
    )


def test_a_batch_is_measured_on_its_own_rows():
    points = example().series

    assert sum(point.rows for point in points) == 180
    assert {point.served["accuracy"] for point in points} == {1.0}
    assert {point.frozen["accuracy"] for point in points} == {0.5}


def test_rows_without_label_are_left_out():
    times, labels = np.arange(10.0), np.array([1.0] * 5 + [np.nan] * 5)
    stops = timetable(times, start=0, batch=Batch.of("10rows"), ticks=1)

    (point,) = curve("binary", stops, labels=labels, served=(np.ones(10), np.ones(10)), frozen=(np.zeros(10),) * 2)

    assert (point.served["accuracy"], point.frozen["accuracy"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("ending", "findings"),
    [
        (bad("rolled_back", 0.1), 0),
        (bad("rolled_back", 0.0), 0),
        (bad("rolled_back", 1.0), 1),
        (bad("running", 0.5), 1),
        (bad("succeeded", 1.0), 2),
    ],
)
def test_a_bad_challenger_must_be_rolled_back_before_it_answers_everybody(ending, findings):
    assert len(example(rollouts=(ending,)).bad_findings()) == findings


def test_one_line_that_differs_makes_the_books_inexact():
    lines = (Line(name="a", expected=1, found=1), Line(name="b", expected=2, found=1))

    assert example().exact
    assert not example(books=lines).exact


def test_a_regression_pays_when_its_error_is_smaller():
    summary = example(task="regression", metric="mae", served={"mae": 40.0}, frozen={"mae": 60.0})

    assert summary.paid
    assert "better" in headline(summary)


def test_what_a_challenger_did_is_read_from_the_phases_of_its_rollout():
    rollout = Rollout(
        id="r-0001",
        model="x",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=0, min_s=1, max_s=2),),
        policy=PromotionPolicy(metric="auc"),
        salt="s",
        status="rolled_back",
        step_started_at=START,
        created_at=START,
    )
    phases = (
        PhaseMetrics(
            phase="r-0001.0",
            first_epoch=2,
            last_epoch=2,
            shadows={"v1.1.0": ShadowMetrics(version="v1.1.0", copies=9, scored=8)},
            variants={"champion": VariantMetrics(version="v1.0.0", served=9)},
        ),
        PhaseMetrics(
            phase="r-0001.1",
            first_epoch=3,
            last_epoch=3,
            variants={"challenger": VariantMetrics(version="v1.1.0", served=5)},
        ),
        PhaseMetrics(
            phase="r-0011.1",
            first_epoch=9,
            last_epoch=9,
            variants={"challenger": VariantMetrics(version="v1.9.0", served=99)},
        ),
    )

    (ending,) = endings([rollout], {"v1.1.0": 0.1}, frozenset(), ModelMetrics(model="x", epoch=9, phases=phases))

    assert (ending.watched, ending.answered, ending.share, ending.bad) == (8, 5, 0.1, False)


def test_the_page_is_one_file_that_needs_no_other():
    text = page(example(), '<?xml version="1.0"?><svg width="1"></svg>')
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append((tag, dict(attrs)))

    Reader().feed(text)

    assert not [tag for tag, attrs in seen if tag in ("script", "link", "img") or "src" in attrs]
    assert "x&lt;y" in text
    assert "a &amp; b" in text


def test_the_summary_can_be_printed_and_written_as_json():
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=200)
    console.print(*tables(example(rollouts=(bad("running", 0.5),))))

    assert "was not rolled back" in console.file.getvalue()
    assert msgspec.json.decode(msgspec.json.encode(example().to_json_document()))["exact"] is True


def test_the_curve_is_smoothed_over_batches_that_have_a_value():
    assert smooth([1.0, float("nan"), 3.0], width=2) == [1.0, 1.0, 3.0]
