"""A segment goes only when it is old, compacted, and read by everybody who reads segments."""

import json
import os
import time
from datetime import timedelta

import pytest
from log_making import ids

from flows.data.eventlog.compact import compact
from flows.data.eventlog.lake import Damaged
from flows.data.eventlog.retain import Readers, readers_of, retain, whole_bytes
from flows.data.eventlog.survey import survey
from registry.eventlog.segments import OUTCOMES, PREDICTIONS, ROLES, SegmentReader, SegmentWriter
from router.index.ingest import Ingest
from router.index.schema import open_index

DAY = timedelta(days=1)


def age(events, days):
    for path in events.iterdir():
        os.utime(path, (time.time() - days * 86_400,) * 2)


def everywhere(events):
    sizes = {path.name: path.stat().st_size for path in events.iterdir()}
    return Readers(sizes, sizes)


def test_nothing_goes_before_it_is_compacted(events, lake, written):
    age(events, 9)
    found = retain(events, lake, everywhere(events), keep=DAY, dry_run=False)

    assert found.removed == ()
    assert {one.reason for one in found.kept} == {"it is not compacted"}


def test_a_dry_run_says_what_would_go_and_removes_nothing(events, lake, written):
    compact(events, lake)
    age(events, 9)
    found = retain(events, lake, everywhere(events), keep=DAY)

    assert (len(found.removed), found.dry_run) == (9, True)
    assert found.bytes == sum(path.stat().st_size for path in events.iterdir())
    assert len(list(events.iterdir())) == 9


def test_what_has_gone_is_in_the_tables_and_is_not_compacted_again(events, lake, written):
    compact(events, lake)
    age(events, 9)
    retain(events, lake, everywhere(events), keep=DAY, dry_run=False)

    assert list(events.iterdir()) == []
    assert compact(events, lake).segments == 0
    assert ids(lake.root) == {name: sorted(one) for name, one in written.items()}


def test_what_is_young_stays_without_a_word(events, lake, written):
    compact(events, lake)
    found = retain(events, lake, everywhere(events), keep=DAY, dry_run=False)

    assert (found.removed, found.kept) == ((), ())


def test_an_index_or_a_shadow_that_is_behind_keeps_what_it_needs(events, lake, written):
    compact(events, lake)
    age(events, 9)
    sizes = everywhere(events).index
    behind = {name: size - 1 for name, size in sizes.items()}

    kept = retain(events, lake, Readers(behind, sizes), keep=DAY).kept
    assert {one.reason for one in kept} == {"the index has not read it to its end"}
    kept = retain(events, lake, Readers(sizes, {}), keep=DAY).kept
    assert {one.reason for one in kept} == {"the shadow has not read it to its end"}
    assert len(kept) == 3, "outcomes and the shadow's own lines are none of its business"


def test_a_segment_that_grew_after_it_was_compacted_stays(events, lake, written):
    compact(events, lake)
    victim = min(events.iterdir())
    with victim.open("ab") as file:
        file.write(b"more")
    age(events, 9)

    assert victim.name not in retain(events, lake, everywhere(events), keep=DAY, dry_run=False).removed


def test_damaged_tables_stop_it(events, lake, written):
    compact(events, lake)
    age(events, 9)
    next(lake.root.rglob("*.parquet")).write_bytes(b"nothing")

    with pytest.raises(Damaged, match="rows"):
        retain(events, lake, everywhere(events), keep=DAY, dry_run=False)
    assert len(list(events.iterdir())) == 9


def test_the_real_index_counts_and_the_torn_tail_of_a_dead_writer_is_no_obstacle(events, lake, written, tmp_path):
    victim = SegmentReader(events, (PREDICTIONS,)).segments()[0]
    with victim.open("ab") as file:
        file.write(b"0123abcd {torn")
    Ingest(open_index(tmp_path / "index.sqlite"), events).catch_up()
    position = tmp_path / "shadow.json"
    position.write_text(json.dumps({path.name: whole_bytes(path) for path in events.iterdir()}))
    compact(events, lake)
    age(events, 9)

    found = retain(events, lake, readers_of(tmp_path / "index.sqlite", position), keep=DAY, dry_run=False)

    assert (len(found.removed), found.kept) == (9, ())


def test_the_index_goes_on_behind_segments_that_are_gone(events, lake, written, tmp_path):
    index = open_index(tmp_path / "index.sqlite")
    ingest = Ingest(index, events)
    ingest.catch_up()
    before = index.execute("SELECT count(*) FROM predictions").fetchone()
    for path in events.iterdir():
        path.unlink()
    assert ingest.catch_up() == 0

    again = Ingest(open_index(tmp_path / "index.sqlite"), events)
    assert again.catch_up() == 0
    assert index.execute("SELECT count(*) FROM predictions").fetchone() == before


def test_without_an_index_nothing_counts_as_read(tmp_path):
    assert readers_of(tmp_path / "index.sqlite", tmp_path / "shadow.json") == Readers({}, {})


def test_the_survey_counts_segments_bytes_and_torn_lines(events, lake, written):
    writer = SegmentWriter(events, OUTCOMES)
    writer.append_lines([b"{}"])
    compact(events, lake)
    with min(events.iterdir()).open("ab") as file:
        file.write(b"nonsense\n")
    found = {role.role: role for role in survey(events, lake, Readers({}, {})).roles}

    assert tuple(found) == ROLES
    assert (found["outcomes"].segments, found["outcomes"].open, found["outcomes"].waiting) == (4, 1, 0)
    assert sum(role.bytes for role in found.values()) == sum(path.stat().st_size for path in events.iterdir())
    assert found["worker"].oldest_days < 0.1
    assert survey(events, lake, Readers({}, {})).lake_rows == 360
