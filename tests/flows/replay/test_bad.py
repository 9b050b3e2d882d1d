"""A deliberately bad challenger is bad, and only that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.replay.bad import Seen, shuffled, worst
from flows.replay.errors import ReplayRefused
from registry.records.base import name_mistakes
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec


def spec(numeric, categorical):
    columns = [NumericColumn(feature=f"n{i}", fill=float(i)) for i in range(numeric)]
    categories = [
        CategoryColumn(feature=f"c{i}", table={"a": (1.0,)}, unknown=(0.0,), missing=(0.0,)) for i in range(categorical)
    ]
    return ScorerSpec(task="binary", kind="xgboost", booster="model.ubj", columns=(*columns, *categories))


@given(numeric=st.integers(2, 9), categorical=st.integers(2, 9))
def test_every_column_gets_the_feature_of_another_column_of_its_kind(numeric, categorical):
    before = spec(numeric, categorical)
    after = shuffled(before, np.random.default_rng(0))

    pairs = list(zip(before.columns, after.columns, strict=True))
    assert all(a.feature != b.feature and a.feature[0] == b.feature[0] for a, b in pairs)
    assert sorted(c.feature for c in before.columns) == sorted(c.feature for c in after.columns)
    assert after.width == before.width


def test_a_model_without_two_features_of_one_kind_cannot_be_made_bad():
    with pytest.raises(ReplayRefused, match="no two features"):
        shuffled(spec(1, 1), np.random.default_rng(0))


def test_the_worst_way_to_shuffle_is_taken():
    columns = tuple(NumericColumn(feature=f"n{i}") for i in range(4))
    good = ScorerSpec(task="regression", kind="linear", columns=columns, coefficients=(1.0, 2.0, 3.0, -9.0))
    rng = np.random.default_rng(1)
    rows = [{f"n{i}": float(value) for i, value in enumerate(values)} for values in rng.normal(size=(200, 4))]
    files = scorer_files(good, None)
    labels = Scorer.of(files).score(rows)

    bad = worst(files, Seen(rows, labels), seed=0)

    def error(spec):
        return float(((Scorer.of(scorer_files(spec, None)).score(rows) - labels) ** 2).mean())

    others = [error(shuffled(good, np.random.default_rng(seed))) for seed in range(10)]
    assert error(bad) >= np.mean(others)
    assert error(bad) > 50


def test_its_maker_can_be_told_from_people():
    from flows.replay.bad import ACTOR

    assert name_mistakes("actor", ACTOR) == []
