import subprocess
import sys

import numpy as np
import pytest
from river import drift
from stream_making import errors, rates

from flows.config.detection.streams import Streams
from flows.detection.streams.detectors import detector, river_rows

RIVER = ("adwin", "page_hinkley", "ddm", "hddm_a", "hddm_w")


@pytest.mark.parametrize("name", ("scan", *RIVER))
def test_every_detector_finds_a_large_rise(name):
    stream = errors(rates(0.05, rows=4_000, then=0.5, at=2_000), np.random.default_rng(1))
    found = detector(name, Streams()).changes(stream)

    assert any(2_000 <= change.row < 2_200 and change.after > change.before for change in found)


def test_a_detector_of_river_is_river_s_own():
    stream = errors(rates(0.1, rows=3_000, then=0.4, at=1_500), np.random.default_rng(0))
    theirs, rows = drift.ADWIN(), []
    for row, loss in enumerate(stream):
        theirs.update(loss)
        rows += [row] if theirs.drift_detected else []

    assert river_rows("adwin", stream) == rows != []


def test_adwin_tells_a_fall_from_a_rise():
    stream = errors(rates(0.5, rows=4_000, then=0.1, at=2_000), np.random.default_rng(0))
    found = detector("adwin", Streams()).changes(stream)

    assert found
    assert all(change.after < change.before for change in found)


@pytest.mark.parametrize(
    ("name", "losses", "fit"),
    [
        ("ddm", [0.0, 1.0], True),
        ("ddm", [0.0, 0.3], False),
        ("hddm_a", [0.0, 0.3], True),
        ("hddm_w", [0.0, 3.0], False),
        ("adwin", [0.0, 3.0], True),
        ("scan", [0.0, 3.0], False),
    ],
)
def test_detectors_say_which_losses_they_cannot_follow(name, losses, fit):
    assert (detector(name, Streams()).unfit(np.array(losses)) == "") is fit


def test_river_is_imported_only_when_it_is_asked_for():
    code = (
        "import sys, flows.detection.streams.error_trend; print('river' in sys.modules, 'scipy.stats' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.split() == ["False", "False"]


def test_the_scan_marks_falls_of_calm_times_and_those_that_end_a_rise_once_each():
    levels = np.repeat([0.4, 0.1, 0.6, 0.2], 2_000)
    found = detector("scan", Streams()).changes(errors(levels, np.random.default_rng(0)))

    assert [(change.after > change.before, round(change.since, -2)) for change in found] == [
        (False, 2_000),
        (True, 4_000),
        (False, 6_000),
    ]
