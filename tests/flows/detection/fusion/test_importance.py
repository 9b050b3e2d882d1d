import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from flows.detection.fusion.importance import importance, shares
from flows.detection.fusion.mapping import data_signal, exposure, ranked
from flows.detection.fusion.signals import Drifted


def table(rows=3000):
    dice = np.random.default_rng(0)
    return pl.DataFrame({name: dice.normal(size=rows) for name in "abc"}).with_columns(
        level=pl.Series(dice.choice(["u", "v"], rows))
    )


def test_shares_follow_the_weight_of_a_feature_in_the_scores():
    def score(frame):
        return (3 * frame["a"] + frame["b"] + (frame["level"] == "u").cast(pl.Float64)).to_numpy()

    found = importance(score, table())

    assert sum(found.values()) == pytest.approx(1)
    assert found["a"] > 2.5 * found["b"] > 0
    assert found["level"] > 0
    assert found["c"] == 0


def test_scores_that_are_no_numbers_make_no_feature_important():
    assert set(importance(lambda frame: np.full(frame.height, np.nan), table()).values()) == {0.0}


def test_coefficients_become_shares():
    assert shares({"a": -3.0, "b": 1.0, "c": float("inf"), "d": 0.0}) == {"a": 0.75, "b": 0.25, "c": 0.0, "d": 0.0}
    assert shares({"a": 1e308, "b": 1e308}) == {"a": 0.5, "b": 0.5}
    assert shares({}) == {}


def test_exposure_weighs_drift_by_importance():
    moved = [Drifted(name="a", size=0.5), Drifted(name="b", size=0.2)]

    assert exposure(moved, {"a": 0.6, "b": 0.4}) == pytest.approx(0.38)
    assert exposure([], {"a": 1.0}) == 0
    assert data_signal([], {"a": 1.0}) is None
    assert [one.name for one in ranked(moved, {"a": 0.0, "b": 1.0})] == ["b", "a"]


def test_the_decision_is_quick_to_import():
    code = (
        "import sys, time, numpy, polars, pydantic, msgspec\n"
        "import flows.detection.fusion.decision, flows.detection.fusion.recoverable\n"
        "heavy = {'scipy.stats', 'sklearn', 'xgboost', 'river'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
