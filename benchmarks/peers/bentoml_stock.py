"""BentoML as its documentation starts: one model, synchronous APIs on an array or a table, all else by default."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")

import bentoml
import numpy as np
import pandas as pd
from rig import served

from router.parent import die_with_parent


@bentoml.service
class Stock:
    def __init__(self) -> None:
        die_with_parent()  # BentoML's workers lead sessions of their own, and would outlive the benchmark
        self.model = served.pipeline()

    @bentoml.api
    def predict(self, features: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(features)

    @bentoml.api
    def table(self, features: pd.DataFrame) -> np.ndarray:
        return self.model.predict_proba(features.to_numpy(dtype=float))
