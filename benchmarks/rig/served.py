"""
What every system serves: impute, scale, XGBoost with 200 trees of depth 6, on 30 features.

Each system's environment fits imputer and scaler on the same rows and reads the same booster, so that no pickle has
to cross versions of scikit-learn. Imports what the peers have: numpy, scikit-learn and xgboost.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, TREES, DEPTH, ROWS, BODIES = 30, 200, 6, 5000, 512
FOLDER = "BENCHMARK_FOLDER"


def rows() -> NDArray[np.float64]:
    """The rows it was fitted on, one value in fifty missing; shape (ROWS, WIDTH)."""
    rng = np.random.default_rng(7)
    values = rng.normal(3.0, 2.0, size=(ROWS, WIDTH))
    values[rng.random(values.shape) < 0.02] = np.nan
    return values


def preparation() -> Any:
    """Imputer and scaler, fitted."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(rows())


def train(seed: int, trees: int = TREES) -> Any:
    """The classifier behind the preparation; another seed is another model of that size."""
    import xgboost

    values = preparation().transform(rows())
    noise = np.random.default_rng(seed).normal(size=ROWS)
    labels = (values[:, 0] + values[:, 1] * values[:, 2] + noise > 0).astype(int)
    return xgboost.XGBClassifier(n_estimators=trees, max_depth=DEPTH, n_jobs=1, random_state=seed).fit(values, labels)


def pipeline() -> Any:
    """For a peer: the fitted pipeline, of the booster in the folder that the environment names."""
    import xgboost

    classifier = xgboost.XGBClassifier(n_jobs=1)
    classifier.load_model(Path(os.environ[FOLDER]) / "model.ubj")
    return joined(classifier)


def joined(classifier: Any) -> Any:
    """Preparation and classifier, both fitted."""
    from sklearn.pipeline import Pipeline

    return Pipeline([*preparation().steps, ("model", classifier)])


def score(fitted: Any, features: Sequence[float]) -> float:
    """One row as most would score it: an array of one row through the whole pipeline."""
    return float(fitted.predict_proba(np.asarray([features], dtype=np.float64))[0, 1])


def asked() -> list[list[float]]:
    """The rows that callers send."""
    values = np.random.default_rng(11).normal(3.0, 2.0, size=(BODIES, WIDTH)).round(4)
    return [[float(value) for value in row] for row in values]


def write_bodies(path: Path, bodies: Sequence[object]) -> Path:
    """One JSON document per line."""
    path.write_text("\n".join(json.dumps(body, separators=(",", ":")) for body in bodies))
    return path
