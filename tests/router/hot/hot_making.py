"""A snapshot whose arms have compiled scorers, made from real specs: helpers."""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from router_making import plan_of, version_of

from registry.records.plan import Guards
from registry.records.version import Feature
from registry.scoring.scorer import Scorer
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec
from router.breaker import Breaker
from router.models import Loaded, Snapshot

FEATURES = (
    Feature(name="x", kind="numeric"),
    Feature(name="a colour!", kind="categorical", levels=("red", "blue")),
    Feature(name="z", kind="numeric"),
)


def scorer(weight: float, task: str = "binary") -> Scorer:
    table = {"red": (1.0,), "blue": (-1.0,)}
    columns = (
        NumericColumn(feature="x", fill=0.5, shift=0.1, scale=2.0),
        CategoryColumn(feature="a colour!", table=table, unknown=(0.0,), missing=(0.25,)),
        NumericColumn(feature="z", fill=0.0),
    )
    return Scorer(ScorerSpec(task=task, kind="linear", columns=columns, coefficients=(weight, 0.5, -1.0)))


def loaded(version: str, weight: float, task: str = "binary") -> Loaded:
    record = msgspec.structs.replace(version_of(version, task=task), features=FEATURES)
    return Loaded(record, scorer(weight, task), ThreadPoolExecutor(1))


def snapshot(
    task: str = "binary",
    *,
    stopped: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    **changes: Any,
) -> Snapshot:
    plan = plan_of(**({"guards": Guards(deadline_ms=1000.0), "forced": {"challenger": ("vip",)}} | changes))
    arms = {"champion": loaded("v1.0.0", 1.0, task), "challenger": loaded("v1.1.0", 2.0, task)}
    return Snapshot(plan, arms, {"challenger": Breaker(5, 60.0, clock)}, stopped)


def slowed(snap: Snapshot, **us_per_row: float) -> Snapshot:
    """The same, where variants are said to take so long for a row."""
    for variant, slow in us_per_row.items():
        found = snap.loaded[variant].scorer
        found.compiled = dataclasses.replace(found.compiled, us_per_row=slow)
    return snap
