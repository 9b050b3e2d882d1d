"""
How many copies a shadow scores in a second, and what they cost: the event log is written first, then followed.

The model has 200 trees of depth 6 on 30 features; once compiled, once by XGBoost's own prediction.

    python benchmarks/shadow_speed.py --copies 200000
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from rig import served
from rig.routers import AT, MODEL, NAMES

from flows.training.folding.boosters import xgboost_trees
from registry.artifacts import ArtifactStore
from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentReader, SegmentWriter
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from router.shadow.limits import Limits
from router.shadow.shadows import Shadows
from router.shadow.sitter import Sitter

COMPILED, NATIVE = "v1.1.0", "v1.2.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=200_000)
    copies = parser.parse_args().copies
    print(f"{'scored by':<12} {'copies/s':>9} {'CPU us/copy':>12} {'follower':>9} {'scorer':>7} {'RSS MiB':>8}  lines")
    with tempfile.TemporaryDirectory(prefix="shadow-speed-") as name:
        for version, how in ((COMPILED, "compiled"), (NATIVE, "XGBoost")):
            folder = Path(name) / version
            record = kept(folder, version, files(compiled=version == COMPILED))
            print(f"{how:<12} {measured(folder, record, copies)}")


def measured(folder: Path, record: ModelVersion, copies: int) -> str:
    limits = Limits(lag_mb=100_000, deadline_s=30)
    shadows = Shadows(
        folder / "events",
        folder / "run" / "shadow.json",
        lambda *_: record,
        lambda version: Sitter(version, folder / "models", limits),
        limits,
    )
    written(folder / "events", record.version, 100, first=-100)
    shadows.look()
    shadows.wait(120)
    [follower] = shadows.followers.values()
    scorer, ours = psutil.Process(follower.pid), psutil.Process()
    written(folder / "events", record.version, copies)
    before, started = (spent(ours), spent(scorer)), time.perf_counter()
    shadows.look()
    if not shadows.wait(600):
        sys.exit("It did not finish within 10 minutes.")
    wall, after = time.perf_counter() - started, (spent(ours), spent(scorer))
    each = [1e6 * (late - early) / copies for early, late in zip(before, after, strict=True)]
    memory = (ours.memory_info().rss + scorer.memory_info().rss) / (1 << 20)
    shadows.close()
    figures = f"{copies / wall:9,.0f} {sum(each):12.1f} {each[0]:9.1f} {each[1]:7.1f} {memory:8.0f}"
    return f"{figures}  {dict(lines(folder / 'events'))}"


def lines(events: Path) -> Counter[str]:
    """How often each end occurs, over all distinct copies."""
    reader = SegmentReader(events, ("shadow",))
    ends = {event.id: event.error or event.dropped or "scored" for p in reader.segments() for event in whole(reader, p)}
    return Counter(ends.values())


def whole(reader: SegmentReader, path: Path) -> list[Any]:
    found, at = [], 0
    while True:
        events, end = reader.read(path, at)
        if end == at:
            return found
        found += events
        at = end


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def written(events: Path, version: str, copies: int, first: int = 0) -> None:
    rows = [dict(zip(NAMES, values, strict=True)) for values in served.asked()]
    writer = SegmentWriter(events, "worker")
    for start in range(first, first + copies, 10_000):
        some = range(start, min(start + 10_000, first + copies))
        writer.append([predicted(version, number, rows[number % len(rows)]) for number in some])
    writer.close()


def predicted(version: str, number: int, features: dict[str, float]) -> Predicted:
    return Predicted(
        model=MODEL,
        id=f"prediction-{number:012d}",
        key=f"customer-{number}",
        time=1.7e9 + number,
        features=features,
        assigned="champion",
        served="champion",
        assigned_version="v1.0.0",
        version="v1.0.0",
        epoch=1,
        phase="p",
        enrolled=True,
        reason="bucket",
        score=0.5,
        prediction=1,
        latency_ms=0.1,
        shadows=(version,),
        weight=1_000_000,
    )


def files(*, compiled: bool) -> dict[str, bytes]:
    imputer, scaler = (step for _, step in served.preparation().steps)
    booster = served.train(1).get_booster()
    columns = tuple(
        NumericColumn(feature=name, fill=float(fill), shift=float(shift), scale=float(scale))
        for name, fill, shift, scale in zip(NAMES, imputer.statistics_, scaler.mean_, scaler.scale_, strict=True)
    )
    if not compiled:
        spec = ScorerSpec(task="binary", kind="xgboost", columns=columns, booster="model.ubj")
        return scorer_files(spec, bytes(booster.save_raw("ubj")))
    trees = xgboost_trees(booster)
    spec = ScorerSpec(
        task="binary", kind="xgboost", columns=columns, arrays="forest.npz", link=trees.link, intercept=trees.start
    )
    return scorer_files(spec, None, trees.forest.to_bytes())


def kept(folder: Path, version: str, content: dict[str, bytes]) -> ModelVersion:
    return ModelVersion(
        model=MODEL,
        version=version,
        task="binary",
        target="y",
        features=tuple(Feature(name=name, kind="numeric") for name in NAMES),
        algorithm="xgboost",
        data=TrainingData(rows=served.ROWS, start=None, end=None, source="benchmark", fingerprint="0"),
        artifact_digest=ArtifactStore(folder / "models").save(MODEL, version, content),
        parity=0.0,
        created_at=AT,
        actor="benchmark",
        reason="benchmark",
    )


if __name__ == "__main__":
    main()
