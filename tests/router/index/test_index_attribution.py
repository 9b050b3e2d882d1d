"""Every label joins the variant that was served, once, although whoever joins them is killed again and again."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from attribution_making import Sent, write
from index_making import Index

from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SegmentWriter

FOLLOW = """
import sys, time
from pathlib import Path
from router.index.ingest import Ingest
from router.index.schema import open_index

ingest = Ingest(open_index(Path(sys.argv[1]) / "index.sqlite"), Path(sys.argv[1]) / "events")
print("following", flush=True)
while True:
    if not ingest.catch_up():
        time.sleep(0.01)
"""


def follower(folder: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"following\n"
    return process


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def campaign(folder: Path, count: int, kills: int, most_seconds: float) -> tuple[Index, Sent, float]:
    """Write, follow and kill; then let one follow to the end, and say how long that took."""
    dice = random.Random(1)
    sent, parts = write(folder / "events", count)
    for _ in range(kills):
        process = follower(folder)
        try:
            for _ in range(dice.randrange(1, max(2, count // 1000 // kills))):
                next(parts, None)
            time.sleep(dice.random() * most_seconds)
        finally:
            kill(process)
    for _ in parts:
        pass
    index = Index(folder)
    began = time.perf_counter()
    index.take()
    return index, sent, time.perf_counter() - began


def check(index: Index, sent: Sent) -> None:
    """All joined to what was served, nothing twice."""
    joined = index.db.execute(
        "SELECT p.id, p.served, o.value, p.phase, p.assigned FROM outcomes o JOIN predictions p USING (seq)"
    ).fetchall()
    assert {id_: served for id_, served, *_ in joined} == sent.variant
    assert {id_: value for id_, _, value, *_ in joined} == sent.label
    assert len(joined) == len(sent.label)
    assert Counter(index.counts()) == sent.counts
    assert index.ingest.torn == 0
    measured = {
        (phase.phase, name): variant.loss.n
        for phase in index.metrics().phases
        for name, variant in phase.variants.items()
    }
    assert measured == Counter((phase, assigned) for *_, phase, assigned in joined)


def test_every_label_joins_the_variant_that_was_served(tmp_path):
    index, sent, _ = campaign(tmp_path, 12_000, 3, 0.3)

    check(index, sent)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_million_labels_join_the_variant_that_was_served(tmp_path, capsys):
    index, sent, seconds = campaign(tmp_path, 1_000_000, 40, 4.0)

    check(index, sent)
    with capsys.disabled():
        print(f"\n{sent.counts.total() + len(sent.label):,} events, 40 kills; the rest took {seconds:.1f} s")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_million_labels_that_wait_are_joined_in_bulk(tmp_path, capsys):
    sent, parts = write(tmp_path / "written", 1_000_000)
    for _ in parts:
        pass
    (tmp_path / "events").mkdir()
    took = []
    for role in (OUTCOMES, PREDICTIONS):
        for path in (tmp_path / "written").glob(f"{role}-*"):
            path.rename(tmp_path / "events" / path.name)
        index = Index(tmp_path, writer=SegmentWriter(tmp_path / "events", PREDICTIONS))
        began = time.perf_counter()
        index.take()
        took.append(time.perf_counter() - began)
        if role == OUTCOMES:
            assert index.counts()["parked"] >= 1_000_000

    assert index.counts()["joined"] == len(sent.label)
    assert {id_: value for id_, _, value in index.joined()} == sent.label
    with capsys.disabled():
        print(f"\nparked in {took[0]:.1f} s, joined in {took[1]:.1f} s")
