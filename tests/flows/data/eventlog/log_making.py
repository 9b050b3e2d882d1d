"""Segments as the router writes them: helpers."""

import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from registry.eventlog.events import Observed, Predicted, Shadowed
from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SHADOWS, SegmentWriter
from registry.records.version import Feature

DAY = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
FEATURES = (
    Feature(name="x", kind="numeric"),
    Feature(name="plan", kind="categorical", levels=("a", "b")),
)


def predicted(number: int, *, model: str = "churn", time: float | None = None, **changes) -> Predicted:
    values = {
        "model": model,
        "id": f"{model}-{number}",
        "key": f"k{number}",
        "time": DAY + number * 3600.0 if time is None else time,
        "features": {"x": number / 2, "plan": "a" if number % 2 else None},
        "assigned": "challenger",
        "served": "champion",
        "assigned_version": "v1.1.0",
        "version": "v1.0.0",
        "epoch": 2,
        "phase": "canary",
        "enrolled": True,
        "reason": "split",
        "score": 0.25,
        "prediction": number % 2,
        "latency_ms": 1.5,
        "error": "late",
        "shadows": ("v1.2.0",),
        "weight": 100_000,
        **changes,
    }
    return Predicted(**values)


def write(folder: Path, *, segments: int = 3, lines: int = 40, seed: int = 0) -> dict[str, set[str]]:
    """Segments of all roles and two models; returns the ids by table."""
    rng, written = random.Random(seed), {"predictions": set(), "outcomes": set(), "shadows": set()}
    writers = {role: SegmentWriter(folder, role) for role in (PREDICTIONS, OUTCOMES, SHADOWS)}
    serial = seed * 1_000_000
    for _ in range(segments):
        for _ in range(lines):
            serial += 1
            event = predicted(serial, model=rng.choice(["churn", "price"]), time=DAY + rng.uniform(0, 3) * 86_400)
            writers[PREDICTIONS].append([event])
            writers[OUTCOMES].append(
                [
                    Observed(
                        model=event.model,
                        id=f"o{serial}",
                        prediction_id=event.id,
                        metric="label",
                        value=1.0,
                        time=event.time,
                    )
                ]
            )
            writers[SHADOWS].append(
                [Shadowed(model=event.model, id=event.id, version="v1.2.0", score=0.3, prediction=0)]
            )
            written["predictions"].add(event.id)
            written["outcomes"].add(f"o{serial}")
            written["shadows"].add(event.id)
        for writer in writers.values():
            writer.close()
    return written


def table(root: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(root / name / "**" / "*.parquet", hive_partitioning=True)


def ids(root: Path) -> dict[str, list[str]]:
    return {name: sorted(table(root, name)["id"].to_list()) for name in ("predictions", "outcomes", "shadows")}
