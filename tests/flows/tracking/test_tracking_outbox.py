"""The outbox: on disk at once, each entry once, never without bounds."""

import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from tracking_making import NOON, a_config, a_look, a_version, an_event, trials

from flows.tracking import outbox as limits
from flows.tracking.entry import Entry
from flows.tracking.outbox import ATTEMPTS, Outbox
from flows.tracking.tracker import Tracker
from registry.home import Settings


@pytest.fixture
def where():
    return Settings().prepare()


@pytest.fixture
def outbox(where):
    return Outbox(where)


def an_entry(name="churn/look/1", **changes):
    fields = {"run": name, "experiment": "drift_monitoring", "name": name, "model": "churn", "at": NOON}
    return Entry(**fields | changes)


def test_what_was_put_in_comes_out_in_order_and_as_it_was(outbox):
    noted = [an_entry(f"churn/look/{n}", metrics={"psi": 0.1 * n}, tags={"said": "ä'\"\n"}) for n in range(5)]
    for entry in noted:
        assert outbox.put(entry, {"card.md": b"\x00\xff"})

    waiting = outbox.waiting()

    assert [one.entry for one in waiting] == noted
    assert outbox.files(waiting[0].number) == {"card.md": b"\x00\xff"}


def test_an_entry_that_is_there_already_is_not_put_in_again(outbox):
    first = outbox.put(an_entry(tags={"said": "first"}))
    second = outbox.put(an_entry(tags={"said": "second"}))
    other_part = outbox.put(an_entry(part="closed"))

    assert (first, second, other_part) == (True, False, True)
    assert [one.entry.tags for one in outbox.waiting()] == [{"said": "first"}, {}]


def test_what_was_sent_is_gone_with_its_files(outbox):
    outbox.put(an_entry(), {"card.md": b"x" * 1000})
    (only,) = outbox.waiting()

    outbox.sent(only.number)

    stock = outbox.stock()
    assert (stock.waiting, stock.bytes, stock.sent) == (0, 0, 1)
    assert outbox.files(only.number) == {}


def test_an_entry_that_is_refused_again_and_again_is_set_aside_until_somebody_wants_it_tried(outbox):
    outbox.put(an_entry("churn/look/1"))
    outbox.put(an_entry("churn/look/2"))
    (bad, good) = outbox.waiting()
    for _ in range(ATTEMPTS):
        outbox.refused(bad.number, "400: no such name")

    assert [one.number for one in outbox.waiting()] == [good.number]
    assert (outbox.stock().aside, outbox.stock().said) == (1, "400: no such name")
    assert outbox.again() == 1
    assert len(outbox.waiting()) == 2


@how(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=8), most=st.integers(1, 6))
def test_the_newest_stay_and_the_rest_is_counted(sizes, most, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(limits, "MOST_ENTRIES", most)
    monkeypatch.setattr(limits, "MOST_BYTES", 2000)
    outbox = Outbox(Settings(home=tmp_path_factory.mktemp("full")))
    for n, size in enumerate(sizes):
        outbox.put(an_entry(f"churn/look/{n}"), {"report": b"x" * size})

    stock, kept = outbox.stock(), [one.entry.run for one in outbox.waiting()]

    assert stock.waiting + stock.dropped == len(sizes)
    assert stock.waiting <= most
    assert stock.bytes <= 2000
    assert kept == [f"churn/look/{n}" for n in range(len(sizes))][stock.dropped :]


def test_entries_that_nobody_fetched_for_long_are_dropped_and_counted(outbox, monkeypatch):
    outbox.put(an_entry("churn/look/old"))
    monkeypatch.setattr(limits, "OLDEST", -1.0)

    outbox.put(an_entry("churn/look/new"))

    assert outbox.stock().dropped == 2


def test_a_file_that_is_too_large_is_left_out_and_the_entry_stays(outbox, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_FILE", 10)
    outbox.put(an_entry(), {"small": b"1", "large": b"x" * 11})

    (only,) = outbox.waiting()

    assert outbox.files(only.number) == {"small": b"1"}


def test_many_writers_at_once_lose_nothing(outbox):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: outbox.put(an_entry(f"churn/look/{n}")), range(40)))

    assert all(done)
    assert outbox.stock().waiting == 40


def test_what_a_process_has_put_in_before_it_is_killed_is_there(where, outbox):
    script = (
        "import os, sys; sys.path.insert(0, os.environ['MAKING'])\n"
        "from tracking_making import a_config, a_look, a_version\n"
        "from flows.tracking.tracker import Tracker; from registry.home import Settings\n"
        "Tracker(Settings(), a_config()).note_look(a_look(event_id=None))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"MAKING": str(Path(__file__).parent)}, check=False
    )

    assert killed.returncode == -9
    assert [one.entry.experiment for one in outbox.waiting()] == ["drift_monitoring"]


def test_noting_takes_milliseconds(where):
    tracker, took = Tracker(where, a_config()), []
    for n in range(20):
        version = a_version(f"v1.{n}.0")
        began = time.perf_counter()
        tracker.note_candidate(version, trials(50), {"card.md": b"x" * 20_000})
        took.append(time.perf_counter() - began)

    assert sorted(took)[10] < 0.05  # 3 ms on an idle machine; this one may be busy


def test_noting_needs_no_mlflow(where):
    script = (
        "import sys\nfrom flows.tracking.tracker import Tracker\nfrom flows.tracking.launch import send_soon\n"
        "found = {'mlflow', 'pandas', 'sqlalchemy', 'prefect'} & set(sys.modules)\n"
        "assert not found - {'sqlalchemy'}, found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_nothing_is_noted_where_the_configuration_says_no(where, outbox):
    tracker = Tracker(where, a_config(enabled=False))
    tracker.note_look(a_look())
    tracker.note_retraining(an_event(), a_version("v1.1.0"))

    assert outbox.stock().waiting == 0


def test_trials_are_left_out_where_the_configuration_says_no(where, outbox):
    Tracker(where, a_config(trials=False)).note_candidate(a_version(), trials(5))

    assert [one.entry.trials for one in outbox.waiting()] == [()]


@pytest.mark.parametrize("trouble", ["a file where the folder should be", "an outbox that is no database"])
def test_an_outbox_that_cannot_be_written_costs_a_warning_only(where, outbox, trouble, caplog):
    if trouble.startswith("a file"):
        outbox.file.parent.write_text("")
    else:
        outbox.file.parent.mkdir()
        outbox.file.write_text("no database at all, " * 100)

    Tracker(where, a_config()).note_look(a_look())

    assert "was not noted" in caplog.text


def test_an_outbox_that_another_process_holds_for_long_costs_a_warning_only(where, outbox, caplog, monkeypatch):
    outbox.put(an_entry())
    slow = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file, **more: slow(file, **(more | {"timeout": 0.05})))
    holder = slow(outbox.file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    Tracker(where, a_config()).note_look(a_look())
    holder.close()

    assert "locked" in caplog.text
