"""A model that is never trained again, on the shared sets: what labels say later, and what was estimated."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import xgboost
from performance_making import a_champion, make_config

from flows.detection.performance.look import performance
from flows.training.metrics import measure

TRAINED, HELD = 0.15, 0.20  # shares of the rows where training and holdout end
SETS = {
    "elec2": ("elec2", "class", "binary", ("idx", "ts"), 336),
    "bank": ("bank_additional", "y", "binary", ("idx", "duration"), 500),
    "bike": ("bike_hourly", "cnt", "regression", ("instant", "dteday", "ts", "casual", "registered"), 168),
}


@cache
def scored(name):
    """Rows with features, `_score` and `_label`, all by one model of the first rows."""
    file, target, task, left_out, _ = SETS[name]
    table = pl.read_parquet(Path(os.environ["UNDERSTUDY_DATA"]) / f"{file}.parquet")
    labels = ((table[target] == "yes") if name == "bank" else table[target]).cast(pl.Float64)
    features = table.drop(target, *left_out)
    categorical = [column for column, kind in features.schema.items() if kind == pl.String]
    codes = features.with_columns(pl.col(categorical).cast(pl.Categorical).to_physical()).to_numpy().astype(np.float64)
    end = int(TRAINED * table.height)
    objective = "binary:logistic" if task == "binary" else "reg:squarederror"
    matrix = xgboost.DMatrix(codes[:end], label=labels[:end].to_numpy(), nthread=1)
    settings = {"objective": objective, "max_depth": 5, "eta": 0.15, "nthread": 1, "seed": 0}
    model = xgboost.train(settings, matrix, 60)
    return features.with_columns(
        _label=labels,
        _score=pl.Series(model.inplace_predict(codes).astype(np.float64)),
        _time=pl.Series(np.arange(table.height, dtype=np.float64)),
        _version=pl.lit("v1.0.0"),
    ), categorical


def looks(name, *, window=8, step=4, **detection):
    """
    Looks along the history: *window* batches, of which the newest half has no labels yet.

    Yields each look beside the loss and accuracy (or R2) that the labels show in the end.
    """
    frame, categorical = scored(name)
    _, _, task, _, batch = SETS[name]
    numeric = [c for c in frame.columns if not c.startswith("_") and c not in categorical]
    config = make_config(numeric, categorical, task=task, detection=detection)
    holdout = frame[int(TRAINED * frame.height) : int(HELD * frame.height)]
    champion = a_champion(task, measure(task, holdout["_label"].to_numpy(), holdout["_score"].to_numpy()))
    for start in range(int(HELD * frame.height), frame.height - window * batch, step * batch):
        part = frame[start : start + window * batch]
        late = np.arange(part.height) >= part.height // 2
        seen = part.with_columns(_label=pl.when(pl.Series(late)).then(None).otherwise(pl.col("_label")))
        truth = measure(task, part["_label"].to_numpy(), part["_score"].to_numpy())
        newest = part.filter(pl.Series(late)).with_columns(_label=pl.lit(None, dtype=pl.Float64))
        blind = performance(newest, champion, config, 0, holdout=holdout)
        later = part.filter(pl.Series(late))
        yield (
            performance(seen, champion, config, 0, holdout=holdout),
            truth,
            blind,
            measure(task, later["_label"].to_numpy(), later["_score"].to_numpy()),
        )
