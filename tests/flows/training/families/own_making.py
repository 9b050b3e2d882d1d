"""Estimators as a user might write them; some are wrong."""

from os import system  # noqa: F401  (what a module has only imported is not its own)

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class Nearest:
    """Shared by both: the label of the nearest centre of a few, and how sure that is."""

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        self.classes_ = np.unique(y)
        self.centres_ = np.stack([X[y == one].mean(axis=0) for one in self.classes_])
        return self

    def predict_proba(self, X):  # noqa: N803
        far = ((X[:, None, :] - self.centres_) ** 2).sum(axis=2)
        near = np.exp(-self.sharpness * (far - far.min(axis=1, keepdims=True)))
        return near / near.sum(axis=1, keepdims=True)


class Centres(Nearest, ClassifierMixin, BaseEstimator):
    search_space = {"sharpness": (0.05, 2.0), "unused": ["a", "b"]}  # noqa: RUF012

    def __init__(self, sharpness=0.5, unused="a"):
        self.sharpness, self.unused = sharpness, unused


class Slope(RegressorMixin, BaseEstimator):
    def fit(self, X, y):  # noqa: N803
        self.weights_ = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)[0]
        return self

    def predict(self, X):  # noqa: N803
        return np.c_[X, np.ones(len(X))] @ self.weights_


class Breaks(Centres):
    def fit(self, X, y, sample_weight=None):  # noqa: N803
        raise RuntimeError("no centre today")


class Unsure(Centres):
    def predict_proba(self, X):  # noqa: N803
        return np.full((len(X), 2), np.nan)


def function():
    """No class."""
