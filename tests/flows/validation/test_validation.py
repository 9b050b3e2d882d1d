"""A version is asked in a real router process, and says in numbers why it passed or not."""

import msgspec
import numpy as np
import pytest
from validation_making import a_config, a_frame, a_holdout, a_version, checks_of, linear, scores_of

from flows.errors import DataError
from flows.validation.checks import latency
from flows.validation.validate import validate

SLICES = [
    {"name": "b", "where": "plan = 'b'"},
    {"name": "a", "where": "plan = 'a'"},
    {"name": "old", "where": "age > 9"},
]
TESTS = """
import polars as pl

def holds(version):
    assert version.url.startswith("http://127.0.0.1:") and (version.model, version.version) == ("churn", "v1.1.0")
    assert version.holdout.columns == ["age", "spent", "plan", "_label"] and version.holdout.height == 120
    answers = version.predict([{"age": 0.0, "spent": None, "plan": "a"}])
    assert 0.5 < answers[0]["score"] < 1

def fails(version):
    score = version.predict([{"age": 0.0, "spent": None, "plan": "a"}])[0]["score"]
    assert score > 0.9, f"a customer of plan a should be kept, and scores {score:.2f}"
"""


@pytest.mark.long
def test_a_good_version_passes_every_check_within_seconds(settings):
    files = linear()

    report = validate(a_config(), settings, a_version(), files, a_holdout(files))

    assert report.passed, report.said
    assert [check.name for check in report.checks] == [
        "load",
        "answers",
        "same alone",
        "parity",
        "bad input",
        "missing and unknown values",
        "latency",
        "memory",
    ]
    print(f"took {report.duration_s:.1f} s")
    assert report.said == "It passed 8 checks in a router of its own."
    assert type(report).from_json(report.to_json()) == report
    assert a_version(validation=report.to_dict()).validation["passed"] is True
    assert msgspec.json.encode(report.to_dict())


def test_every_reason_is_told_at_once_with_its_numbers(settings, tmp_path, monkeypatch):
    (tmp_path / "my_tests.py").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(latency, "PAUSE_S", 0.0)  # by this budget any machine is busy
    config = a_config(slices=SLICES, tests=["my_tests:holds", "my_tests:fails", "my_tests:absent"], latency_ms=0.01)
    files, frame = linear(), a_frame(600)
    champion = scores_of(files, frame)
    challenger = np.where(frame["plan"] == "b", 1 - champion, champion)
    holdout = a_holdout(n=600, expected=champion + 0.01, champion=champion, challenger=challenger)

    report = validate(config, settings, a_version(), files, holdout)
    seen = checks_of(report)

    assert {check.name for check in report.failures} == {
        "parity",
        "latency",
        "slice: b",
        "test: my_tests:fails",
        "test: my_tests:absent",
    }
    assert "differ by at most 0.01" in seen["parity"].said
    assert seen["latency"].value > seen["latency"].bound == 0.01
    assert "best of 8 rounds. A trivial version takes" in seen["latency"].said
    assert "too busy to judge by p99, so the median counts" in seen["latency"].said
    assert "worse than allowed" in seen["slice: b"].said
    assert "not shown to be worse" in seen["slice: a"].said
    assert "Not judged: 0 of 600 holdout rows are in it, and 100 are needed." in seen["slice: old"].said
    assert seen["test: my_tests:fails"].said == "a customer of plan a should be kept, and scores 0.69"
    assert "no attribute 'absent'" in seen["test: my_tests:absent"].said
    assert "| parity | **no** |" in report.markdown()


def test_without_rows_nothing_is_started(settings):
    with pytest.raises(DataError, match="no rows"):
        validate(a_config(), settings, a_version(), linear(), a_holdout(n=0))


@pytest.mark.parametrize(
    ("p99", "median", "trivial", "passed", "value"),
    [
        (49.0, 9.0, 0.0, True, 49.0),
        (60.0, 9.0, 20.0, False, 60.0),
        (60.0, 9.0, 30.0, True, 9.0),
        (90.0, 80.0, 30.0, False, 80.0),
    ],
)
def test_a_busy_machine_is_not_held_against_a_version(p99, median, trivial, passed, value):
    check = latency._verdict(latency.Round(p99, median, 300), 50.0, trivial, "seen")

    assert (check.passed, check.value, check.bound) == (passed, value, 50.0)


@pytest.mark.parametrize(("median", "trivial", "noisy"), [(2.0, 4.0, True), (80.0, 4.0, False), (80.0, 30.0, True)])
def test_a_few_late_answers_among_quick_ones_are_looked_at_again(median, trivial, noisy):
    assert latency._noisy(latency.Round(60.0, median, 300), trivial, 50.0) is noisy
