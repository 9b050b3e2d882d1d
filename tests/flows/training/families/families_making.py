"""A configuration and rows on which every family learns something within a second."""

import time

import numpy as np
import polars as pl
from training_making import make_config, make_frame

from flows.config.model import ModelConfig
from flows.training.families.family import Budget, Family, Fold, Setting
from flows.training.families.make import families_of
from flows.training.packing import Ending
from flows.training.rows import Sample

CLASSES = ("low", "middle", "high")
TASKS = ("binary", "regression", "multiclass")


def family_of(name: str, task: str, *, seed: int = 0, **training: object) -> Family:
    """The last of the families *name*, which may be several, with commas between them."""
    data = {"classes": list(CLASSES)} if task == "multiclass" else {}
    config: ModelConfig = make_config(task, data=data, training={"families": name.split(","), **training})
    return families_of(config, "accuracy" if task == "multiclass" else "rmse", seed)[-1]


def rows_of(task: str, rows: int = 600, seed: int = 0) -> Sample:
    """Rows with missing values; labels of three classes are thirds of the value."""
    kind = "binary" if task == "binary" else "regression"
    frame = make_frame(rows, task=kind, seed=seed)
    labels = frame["_label"].to_numpy()
    if task == "multiclass":
        labels = np.digitize(labels, [950.0, 1050.0]).astype(float)
    return Sample(frame.select("a", "b", "c"), labels)


def fold_of(task: str, rows: int = 600) -> Fold:
    return Fold(past=rows_of(task, rows), future=rows_of(task, rows // 2, seed=1))


def budget(trials: int = 2, found: tuple[Setting, ...] = ()) -> Budget:
    return Budget(trials=trials, until=time.monotonic() + 60, found=found)


def ending(task: str) -> Ending:
    return Ending(classes=CLASSES if task == "multiclass" else ())


def unseen(rows: int = 200) -> pl.DataFrame:
    """Rows of another draw, an unknown level among them."""
    frame = make_frame(rows, seed=9).select("a", "b", "c")
    return frame.with_columns(c=pl.when(pl.int_range(rows) < 5).then(pl.lit("never seen")).otherwise("c"))
