"""What is compiled says what the fitted pipeline says, for every family, row and batch."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines_making import CATEGORICAL, MAKERS, NUMERIC, fitted, table

from flows.training.folding.fold import fold
from registry.scoring.forest import Forest
from registry.scoring.program import Look
from registry.scoring.scorer import Scorer, scorer_files

SCHEMA = dict.fromkeys(NUMERIC, pl.Float64) | dict.fromkeys(CATEGORICAL, pl.String)
EXTREMES = [0.0, -0.0, 1e38, -1e38, 5e-324, 1e-45, -1e-45, 1e-40, 1e-35, -1e-35, 2.0**-149, 16777217.0]
LEVELS = ["red", "green", "blue", "rare", "never seen", "", "level 3", "level 14", "NaN", "None"]
ROUNDED = {"xgboost tweedie", "poisson", "linear", "logistic with indicators", "scaled, then filled"}
ROUNDED |= {"logistic", "perceptron", "perceptron regression"}
SCORERS: dict[str, Scorer] = {}


def scorer_of(name):
    if name not in SCORERS:
        folded = fold(fitted(name).pipeline, numeric=NUMERIC, categorical=CATEGORICAL)
        SCORERS[name] = Scorer.of(scorer_files(*folded))
    return SCORERS[name]


def said(name, rows):
    """What the compiled scorer and the pipeline say."""
    expected = fitted(name).expected(pl.DataFrame(rows, schema=SCHEMA))
    return scorer_of(name).score(rows), expected


def rows_of(numbers):
    number = st.none() | st.sampled_from(EXTREMES) | st.floats(-1e6, 1e6) | numbers
    level = st.none() | st.sampled_from(LEVELS)
    row = dict.fromkeys(NUMERIC, number) | dict.fromkeys(CATEGORICAL, level)
    return st.lists(st.fixed_dictionaries(row), min_size=1, max_size=30)


def thresholds(name):
    """Numbers at, and just beside, what the trees compare with; as they are before any scaling."""
    folded = fold(fitted(name).pipeline, numeric=NUMERIC, categorical=CATEGORICAL)
    if folded.spec.arrays != "forest.npz":
        return []
    edges = Forest.from_bytes(folded.arrays, folded.spec.width).threshold.astype(np.float64)
    edges = np.unique(np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]))
    return edges[np.abs(edges) < 3e38].tolist()  # larger ones are infinite in single precision


def close(name, scores, expected):
    """Trees agree to the last bit, but for the exponential function; sums of products to rounding."""
    if name not in ROUNDED:
        return np.array_equal(scores, expected)
    return np.allclose(scores, expected, rtol=1e-6 if "xgboost" in name else 1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_compiled_says_what_was_fitted_on_new_rows(name):
    frame, _ = table(1500, seed=7)
    scores, expected = said(name, frame.to_dicts())

    assert scorer_of(name).serving == "compiled"
    assert close(name, scores, expected)
    assert np.ptp(scores) > 0.01


@pytest.mark.parametrize("name", MAKERS)
def test_extremes_thresholds_and_unknown_levels_are_scored_alike(name):
    edges = thresholds(name) or [0.5]

    @settings(deadline=None, max_examples=15, database=None)
    @given(rows=rows_of(st.sampled_from(edges)))
    def agree(rows):
        scores, expected = said(name, rows)
        finite = np.isfinite(expected)
        if name not in ROUNDED:
            assert finite.all()
        assert close(name, scores[finite], expected[finite])

    agree()


@pytest.mark.parametrize("name", MAKERS)
def test_a_row_scores_the_same_alone_and_in_any_batch(name):
    compiled, dice = scorer_of(name).compiled, np.random.default_rng(1)
    raw = dice.normal(20, 40, (70, len(compiled.features)))
    raw[dice.random(raw.shape) < 0.1] = np.nan
    whole, part = np.full(70, -1.0), np.full(70, -1.0)
    compiled.scores(raw, 70, whole)
    for start, stop in ((0, 1), (1, 3), (3, 20), (20, 70)):
        compiled.scores(raw[start:stop], stop - start, part[start:stop])

    assert whole.tobytes() == part.tobytes()


@pytest.mark.parametrize("name", MAKERS)
def test_only_as_many_rows_are_written_as_were_asked_for(name):
    compiled = scorer_of(name).compiled
    raw, out = np.zeros((4, len(compiled.features))), np.full(4, 7.25)
    compiled.scores(raw, 0, out)
    untouched = out.tolist()
    compiled.scores(raw, 2, out)

    assert untouched == [7.25] * 4
    assert out[2:].tolist() == [7.25] * 2
    assert (out[:2] != 7.25).all()


def test_the_same_pipeline_folds_into_the_same_bytes():
    first, second = (fold(fitted("lightgbm").pipeline, numeric=NUMERIC, categorical=CATEGORICAL) for _ in range(2))

    assert scorer_files(*first) == scorer_files(*second)


def test_native_categories_are_tests_of_membership():
    folded = fold(fitted("lightgbm native categories").pipeline, numeric=NUMERIC, categorical=CATEGORICAL)
    looks = Forest.from_bytes(folded.arrays, folded.spec.width).looks()

    assert any(look.members for look in looks)
    assert all(isinstance(look, Look) for look in looks)


def test_zeros_of_a_sparse_matrix_are_missing_to_xgboost():
    folded = fold(fitted("xgboost sparse").pipeline, numeric=NUMERIC, categorical=CATEGORICAL)
    looks = Forest.from_bytes(folded.arrays, folded.spec.width).looks()

    assert fitted("xgboost sparse").pipeline["encode"].sparse_output_
    assert all(look.tiny == 0 and look.zero == look.missing for look in looks)


@pytest.mark.parametrize("base", [0.5237, 0.001, 0.25, 0.9, 0.999999])
def test_any_base_score_is_where_the_sum_starts(base):
    import xgboost

    dice = np.random.default_rng(3)
    rows = dice.normal(size=(2000, 3))
    model = xgboost.XGBClassifier(n_estimators=8, base_score=base, n_jobs=1).fit(rows, rows[:, 0] > rows[:, 1])
    compiled = Scorer.of(scorer_files(*fold(model, numeric=NUMERIC))).compiled
    out = np.empty(2000)
    compiled.scores(rows, 2000, out)

    assert out.tolist() == model.predict_proba(rows)[:, 1].tolist()


def test_deep_trees_and_shallow_ones_take_different_kernels():
    kinds = {name: scorer_of(name).compiled.node.kernel.__name__ for name in ("xgboost", "xgboost deep")}

    assert kinds == {"xgboost": "padded_trees", "xgboost deep": "linked_trees"}


@pytest.mark.long
@pytest.mark.parametrize("name", MAKERS)
def test_a_hundred_thousand_rows_score_alike(name):
    dice = np.random.default_rng(11)
    frame, _ = table(100_000, seed=13)
    edges = thresholds(name) or [0.5]
    chosen = pl.Series(dice.choice([*edges, *EXTREMES], frame.height))
    frame = frame.with_columns(
        pl.when(pl.Series(dice.random(frame.height) < 0.2)).then(chosen).otherwise(pl.col(one)).alias(one)
        for one in NUMERIC
    )
    scores, expected = said(name, frame.to_dicts())
    finite = np.isfinite(expected)

    assert close(name, scores[finite], expected[finite])
