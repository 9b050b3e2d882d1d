"""The shadow process and its children are killed at any moment: every copy still counts exactly once."""

import itertools
import json
import random
import signal
import time
from collections import Counter

import psutil
import pytest
from router_live import wait_for

from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentReader, SegmentWriter


def copies(numbers):
    fixed = {"model": "m", "key": "k", "time": 0.0, "assigned": "champion", "served": "champion", "epoch": 1}
    fixed |= {"assigned_version": "v1.0.0", "version": "v1.0.0", "phase": "p", "enrolled": True, "reason": "bucket"}
    fixed |= {"score": 0.1, "prediction": 0, "latency_ms": 0.1, "shadows": ("v1.0.0", "v1.1.0")}
    return [Predicted(id=f"p{n}", features={"x": n % 7, "c": "ab"[n % 2]}, **fixed) for n in numbers]


def lines(settings):
    reader = SegmentReader(settings.events_dir, ("shadow",))
    found = []
    for path in reader.segments():
        at = 0
        while (read := reader.read(path, at))[1] > at:
            found, at = found + read[0], read[1]
    assert reader.torn == 0
    return found


def children(live):
    return [p for p in psutil.Process(live.processes["shadow"].pid).children() if "router.shadow.child" in p.cmdline()]


def campaign(live, settings, kills, rng):
    writer, numbers = SegmentWriter(settings.events_dir, "worker"), itertools.count()
    live.start("shadow")
    for _ in range(kills):
        for _ in range(rng.randrange(1, 20)):
            writer.append(copies(itertools.islice(numbers, rng.randrange(1, 400))))
            time.sleep(rng.random() * 0.05)
        time.sleep(rng.random() * 0.5)
        hurt = children(live) if rng.random() < 0.3 else []
        if hurt:
            rng.choice(hurt).send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
        else:
            left = children(live)
            live.kill("shadow")
            assert psutil.wait_procs(left, 5)[1] == []
            live.start("shadow")
    writer.append(copies(itertools.islice(numbers, 100)))
    return next(numbers)


def check(live, settings, kills, seed):
    total = campaign(live, settings, kills, random.Random(seed))
    expected = {(f"p{n}", version) for n in range(total) for version in ("v1.0.0", "v1.1.0")}
    wait_for(lambda: {(line.id, line.version) for line in lines(settings)} == expected, "every copy's line", 60)
    live.start("control")
    live.sync()
    phases = live.admin.get("/v1/models/m/metrics").json()["phases"]
    said = Counter(line.error or line.dropped or "scored" for line in lines(settings))
    return total, [phase["shadows"] for phase in phases], said


@pytest.mark.parametrize("kills", [1, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_every_copy_counts_once_however_often_the_processes_are_killed(live, settings, kills):
    total, [shadows], said = check(live, settings, kills, seed=kills)

    for seen in shadows.values():
        assert seen["copies"] == total
        assert seen["scored"] + sum(seen["dropped"].values()) + sum(seen["errors"].values()) == total
        assert set(seen["errors"]) <= {"crashed"}
        assert set(seen["dropped"]) <= {"down"}
    print(f"\n{kills} kills, {total:,} requests x 2 shadows, lines: {dict(said)}")
    print(json.dumps({name: {k: seen[k] for k in ("scored", "dropped", "errors")} for name, seen in shadows.items()}))
