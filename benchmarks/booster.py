"""The model that every system serves: 20 features, 200 trees of depth 5."""

import os

import numpy as np
import xgboost

WIDTH, TREES, DEPTH = 20, 200, 5


def train(seed: int) -> xgboost.Booster:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(5000, WIDTH)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=5000) > 0).astype(np.float32)
    settings = {"objective": "binary:logistic", "max_depth": DEPTH, "nthread": 1, "seed": seed}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), num_boost_round=TREES)


def load() -> xgboost.Booster:
    """For a peer: from the file that the environment names."""
    loaded = xgboost.Booster()
    loaded.load_model(os.environ["BENCHMARK_MODEL"])
    loaded.set_param({"nthread": 1})
    return loaded


def score(loaded: xgboost.Booster, features: list[float]) -> float:
    return float(loaded.inplace_predict(np.asarray([features], dtype=np.float32))[0])
