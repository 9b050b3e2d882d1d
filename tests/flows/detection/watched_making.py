"""A champion with real files, and rows that it fails on; everything but Prefect and the router is real."""

from datetime import timedelta

import numpy as np
import polars as pl
from drift_making import NOON, make_config

from flows.training.candidate import train_candidate
from flows.training.publish import publish
from registry.artifacts import ArtifactStore
from registry.records.plan import Guards
from registry.store.registry import Registry

CONFIG = make_config(
    training={"trials": 0, "families": ["linear"], "min_rows": 200, "window": None}, data={"time": "at"}, target="y"
)
BEFORE = NOON - timedelta(days=30)


def table(rows, seed, *, since=BEFORE, sign=1.0, shift=0.0):
    """One row a minute; `y` follows `x`, or its opposite."""
    dice = np.random.default_rng(seed)
    x = dice.normal(shift, 1, rows)
    return pl.DataFrame(
        {
            "x": x,
            "c": dice.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
            "at": since.timestamp() + 60.0 * np.arange(rows),
            "y": (sign * x + dice.normal(0, 0.5, rows) > 0).astype(int),
        }
    )


def failing():
    """A day as ever, then 300 rows that follow the opposite rule."""
    day = NOON - timedelta(days=1)
    return pl.concat([table(1000, 2, since=day), table(300, 3, since=day + timedelta(minutes=1000), sign=-1.0)])


def settled(settings, config=CONFIG):
    """Train, publish and install the first champion."""
    from flows.data import prepare

    store, rows = (
        ArtifactStore(settings.models_dir),
        prepare(config, table(3000, 1, since=BEFORE - timedelta(minutes=3000))),
    )
    candidate = train_candidate(config, rows, champion=None, champion_scorer=None, seed=0, as_of=BEFORE)
    with Registry.open(settings.registry_url) as registry:
        made = publish(candidate, registry, store, config=config, actor="ann", reason="test", at=BEFORE)
        registry.install_first(
            "churn", made.version, guards=Guards(), salt="churn.first", actor="ann", reason="test", at=BEFORE
        )
    return made
