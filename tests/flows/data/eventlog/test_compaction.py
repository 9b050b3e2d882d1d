"""Every line of the log becomes one row, once, whatever happens in between."""

import random
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime

import polars as pl
import pytest
from log_making import DAY, FEATURES, ids, predicted, table, write

from flows.data.eventlog.compact import compact, waiting
from flows.data.eventlog.lake import Damaged, Lake
from flows.errors import DataError
from registry.eventlog.lines import frame
from registry.eventlog.segments import PREDICTIONS, SegmentReader, SegmentWriter


def schema(model):
    return FEATURES if model == "churn" else ()


def same(found, written):
    return found == {name: sorted(one) for name, one in written.items()}


def test_every_line_becomes_one_row_in_the_folder_of_its_date_and_model(events, lake, written):
    found = compact(events, lake)

    assert (found.segments, found.rows, found.torn) == (9, 360, 0)
    assert same(ids(lake.root), written)
    rows = table(lake.root, "predictions")
    assert set(rows["model"]) == {"churn", "price"}
    dates = [datetime.fromtimestamp(time, UTC).date() for time in rows["time"]]
    assert rows["date"].to_list() == dates


def test_a_row_says_all_that_its_line_said(events, lake):
    writer = SegmentWriter(events, PREDICTIONS)
    writer.append([predicted(1), predicted(2, error=None, weight=None, key=None, shadows=())])
    writer.close()

    compact(events, lake, schema=schema)

    first, second = table(lake.root, "predictions").sort("id").to_dicts()
    assert first == {
        "id": "churn-1", "key": "k1", "time": DAY + 3600, "features": '{"x":0.5,"plan":"a"}',
        "assigned": "challenger", "served": "champion", "assigned_version": "v1.1.0", "version": "v1.0.0",
        "epoch": 2, "phase": "canary", "enrolled": True, "reason": "split", "score": 0.25, "prediction": 1.0,
        "latency_ms": 1.5, "error": "late", "failed": False, "place": 0, "shadows": ["v1.2.0"], "weight": 100_000,
        "date": datetime(2026, 3, 1, tzinfo=UTC).date(), "model": "churn",
    }  # fmt: skip
    assert [second[name] for name in ("error", "weight", "key", "shadows")] == [None, None, None, []]
    features = pl.read_parquet(lake.root / "features" / "churn" / "**" / "*.parquet").sort("id")
    assert features.rows() == [("churn-1", 0.5, "a"), ("churn-2", 1.0, None)]
    assert features.schema["f_x"] == pl.Float64


def test_features_that_do_not_fit_the_schema_are_null_and_stay_in_the_text(events, lake):
    odd = [{"x": "many", "plan": 3}, {"x": 10**400, "plan": "b"}, {}, {"x": 1.5, "plan": "a"}]
    writer = SegmentWriter(events, PREDICTIONS)
    writer.append([predicted(number, features=one, time=DAY) for number, one in enumerate(odd)])
    writer.close()

    compact(events, lake, schema=schema)

    features = pl.read_parquet(lake.root / "features" / "churn" / "**" / "*.parquet").sort("id")
    assert features["f_x"].to_list() == [None, None, None, 1.5]
    assert features["f_plan"].to_list() == [None, "b", None, "a"]
    assert '"many"' in table(lake.root, "predictions").sort("id")["features"][0]


def test_compacting_again_changes_nothing_and_takes_what_is_new(events, lake, written):
    compact(events, lake)
    files = sorted(lake.root.rglob("*.parquet"))
    assert compact(events, lake).segments == 0
    assert sorted(lake.root.rglob("*.parquet")) == files

    more = write(events, segments=1, seed=1)
    assert compact(events, lake).segments == 3
    assert same(ids(lake.root), {name: written[name] | more[name] for name in written})


def test_a_segment_that_is_still_written_to_waits(events, lake):
    writer = SegmentWriter(events, PREDICTIONS)
    writer.append([predicted(1)])

    assert compact(events, lake).segments == 0
    writer.close()
    assert compact(events, lake).segments == 1


def test_before_leaves_younger_segments_for_later(events, lake, written):
    assert compact(events, lake, before=datetime(2020, 1, 1, tzinfo=UTC)).segments == 0
    assert compact(events, lake, before=datetime.now(UTC)).segments == 9


def test_a_dry_run_counts_and_writes_no_table(events, lake, written):
    found = compact(events, lake, dry_run=True)

    assert (found.segments, found.dry_run) == (9, True)
    assert found.bytes == sum(path.stat().st_size for path in events.iterdir())
    assert list(lake.root.rglob("*.parquet")) == []


def test_torn_and_strange_lines_are_counted_and_cost_no_other(events, lake):
    writer = SegmentWriter(events, PREDICTIONS)
    writer.append([predicted(1)])
    writer.append_lines([b'{"type":"rumour"}', b'{"type":"predicted"}'])
    writer.append([predicted(2)])
    writer.close()
    [path] = SegmentReader(events, (PREDICTIONS,)).segments()
    path.write_bytes(path.read_bytes() + b"%08x {}\n" % (zlib.crc32(b"{}") ^ 1) + frame(b"{}")[:-3])

    found = compact(events, lake)

    assert (found.rows, found.torn) == (2, 3)
    assert ids_of_predictions(lake) == ["churn-1", "churn-2"]


def ids_of_predictions(lake):
    return sorted(table(lake.root, "predictions")["id"])


def test_times_of_no_calendar_have_a_folder_of_their_own(events, lake):
    writer = SegmentWriter(events, PREDICTIONS)
    writer.append([predicted(1, time=1e300), predicted(2, time=-1e300)])
    writer.close()
    compact(events, lake)

    assert [path.name for path in (lake.root / "predictions").iterdir()] == ["date=9999-12-31"]


def test_many_small_batches_hold_the_same_rows(events, lake, written):
    found = compact(events, lake, batch_bytes=1)

    assert len(lake.batches()) == found.segments == 9
    assert same(ids(lake.root), written)


def test_rows_that_are_missing_are_told_with_the_file_that_lacks_them(events, lake, written):
    compact(events, lake)
    victim = next(iter(sorted((lake.root / "outcomes").rglob("*.parquet"))))
    victim.unlink()

    with pytest.raises(Damaged, match=f"{victim.name} has None rows"):
        lake.verify(lake.batches()[0])


def test_two_at_once_are_refused(events, lake, written):
    with lake.exclusively(), pytest.raises(DataError, match="is at work"):
        compact(events, Lake(lake.root))


CODE = """
import pathlib, sys
from flows.data.eventlog.compact import compact
from flows.data.eventlog.lake import Lake
print("go", flush=True)
compact(pathlib.Path(sys.argv[1]), Lake(pathlib.Path(sys.argv[2])), batch_bytes=int(sys.argv[3]))
"""


def killed(events, lake, after, batch_bytes=4000):
    command = [sys.executable, "-c", CODE, str(events), str(lake.root), str(batch_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(after)
        process.kill()


@pytest.mark.parametrize("after", [0.005, 0.03, 0.08])
def test_a_compaction_killed_anywhere_and_done_again_doubles_and_loses_nothing(events, lake, written, after):
    killed(events, lake, after)
    compact(events, lake, batch_bytes=4000)

    assert same(ids(lake.root), written)
    assert waiting(events, lake) == []
    for batch in lake.batches():
        lake.verify(batch)
    assert list(lake.root.rglob("*.tmp")) == []


@pytest.mark.long
def test_a_hundred_kills_at_random_moments_double_and_lose_nothing(events, lake, capsys):
    rng, written, begun = random.Random(0), {"predictions": set(), "outcomes": set(), "shadows": set()}, 0
    for seed in range(100):
        for name, more in write(events, segments=1, lines=20, seed=seed).items():
            written[name] |= more
        killed(events, lake, rng.uniform(0, 0.12))
        begun += lake.begun() is not None
    compact(events, lake)
    with capsys.disabled():
        print(
            f"\n100 kills, {begun} of them inside a batch; {len(lake.batches())} batches;"
            f" {sum(map(len, written.values()))} rows"
        )

    assert begun > 5
    assert same(ids(lake.root), written)
