"""`understudy log` from the first segment to the last one removed."""

import json
import os
import time

import polars as pl
import pytest

from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SegmentWriter
from registry.home import Settings
from router.index.ingest import Ingest
from router.index.schema import open_index


@pytest.fixture
def logged(furnished):
    """One prediction and its label, in segments that are finished."""
    prediction = Predicted(
        model="churn", id="p1", key="k", time=1_772_366_400.0, features={"age": 40},
        assigned="champion", served="champion", assigned_version="v1.0.0", version="v1.0.0", epoch=1, phase="first",
        enrolled=False, reason="champion", score=0.2, prediction=0, latency_ms=1.0,
    )  # fmt: skip
    label = Observed(model="churn", id="p1|label", prediction_id="p1", metric="label", value=1.0, time=1_772_366_500.0)
    for role, event in ((PREDICTIONS, prediction), (OUTCOMES, label)):
        writer = SegmentWriter(Settings().events_dir, role)
        writer.append([event])
        writer.close()
    return furnished


def test_segments_become_tables_and_go_when_nobody_needs_them(logged):
    settings = Settings()
    assert logged("log", "compact", "--dry-run", "--json").json["segments"] == 2
    assert logged("log", "compact", "--json").json["rows"] == 2
    assert "0 segments" in logged("log", "compact").out
    features = pl.read_parquet(settings.home / "lake" / "features" / "churn" / "**" / "*.parquet")
    assert features.to_dicts() == [{"id": "p1", "f_age": 40.0}]

    for path in settings.events_dir.iterdir():
        os.utime(path, (time.time() - 10 * 86_400,) * 2)
    said = logged("log", "retain", "--keep", "9d").out
    assert "the index has not read it to its end" in said
    Ingest(open_index(settings.home / "index.sqlite"), settings.events_dir).catch_up()
    sizes = {path.name: path.stat().st_size for path in settings.events_dir.iterdir()}
    settings.shadow_position.write_text(json.dumps(sizes))

    assert "2 segments" in logged("log", "retain", "--keep", "9d").out
    assert len(list(settings.events_dir.iterdir())) == 2, "a dry run is the default"
    assert len(logged("log", "retain", "--keep", "9d", "--for-real", "--json").json["removed"]) == 2
    assert list(settings.events_dir.iterdir()) == []


def test_status_says_what_there_is_and_that_the_router_does_not_answer(logged):
    said = logged("log", "status", "--json").json
    by_role = {role["role"]: role for role in said["log"]["roles"]}

    assert said["unlogged"] is None
    assert (by_role["worker"]["segments"], by_role["worker"]["waiting"], by_role["worker"]["open"]) == (1, 1, 0)
    assert by_role["worker"]["unread"] == by_role["worker"]["bytes"] > 0
    assert "it does not answer" in logged("log", "status").out


@pytest.mark.parametrize("age", ["90", "d", "-1d", "9 years", "1.5d"])
def test_an_age_that_is_none_is_refused_with_an_example(logged, age):
    assert "`--keep 90d`" in logged("log", "retain", "--keep", age).refused()


def test_damaged_tables_are_refused_and_nothing_goes(logged):
    logged("log", "compact")
    next((Settings().home / "lake").rglob("*.parquet")).unlink()

    assert "is damaged" in logged("log", "retain", "--keep", "0d", "--for-real").refused()
    assert len(list(Settings().events_dir.iterdir())) == 2
