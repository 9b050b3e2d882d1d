import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_making import make_config, make_frame

from flows.training.errors import ParityRefused
from flows.training.families.boosting import Boosting
from flows.training.families.family import Setting, fit
from flows.training.families.linear import Linear
from flows.training.parity import check_parity
from flows.training.rows import Sample
from registry.scoring.scorer import Scorer, scorer_files

CONFIG = make_config()
ROUNDS = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 4}


def fitted(kind, task, frame=None, features=CONFIG.features):
    frame = make_frame(600, task=task) if frame is None else frame
    family, setting = {
        "xgboost": (Boosting(features=features, task=task, seed=0, threads=1), Setting("xgboost", ROUNDS)),
        "linear": (Linear(features=features, task=task), Setting("linear", {"penalty": 1.0})),
    }[kind]
    pipeline = fit(family, setting, Sample(frame.select(features.names), frame["_label"].to_numpy()))
    return family, pipeline


def agree(family, pipeline, rows):
    features = pl.DataFrame(rows, schema={name: pl.Float64 if name in "ab" else pl.String for name in rows[0]})
    expected = family.scores(pipeline, Sample(features, np.empty(0)))
    return check_parity(scorer_files(*family.spec(pipeline)), rows, expected, family.task)


MODELS = {(kind, task): fitted(kind, task) for kind in ("xgboost", "linear") for task in ("binary", "regression")}
ROW = st.fixed_dictionaries(
    {
        "a": st.none() | st.floats(-1e6, 1e6, width=32),
        "b": st.none() | st.floats(-1e3, 1e3, width=32),
        "c": st.none() | st.sampled_from(["red", "green", "blue", "rare"]) | st.text(max_size=3),
    }
)


@pytest.mark.parametrize("model", MODELS)
@settings(deadline=None, max_examples=40)
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_what_is_served_is_what_was_fitted_for_any_row(model, rows):
    assert agree(*MODELS[model], rows).largest <= 1e-4 or model[1] == "regression"


@pytest.mark.parametrize("kind", ["xgboost", "linear"])
def test_missing_is_learned_as_a_level_and_unknown_levels_are_not(kind):
    frame = make_frame(600).with_columns(_label=pl.col("c").is_null().cast(pl.Float64))
    family, pipeline = fitted(kind, "binary", frame)
    scorer = Scorer.of(scorer_files(*family.spec(pipeline)))

    missing, known, unknown = scorer.score([{"a": 50, "b": 0, "c": level} for level in (None, "red", "never seen")])

    assert missing > 0.8
    assert known < 0.2
    assert unknown < missing


@pytest.mark.parametrize("kind", ["xgboost", "linear"])
def test_missing_that_was_never_seen_counts_as_unknown(kind):
    family, pipeline = fitted(kind, "binary", make_frame(600).with_columns(pl.col("c").fill_null("red")))
    column = family.spec(pipeline)[0].columns[-1]

    assert column.missing == column.unknown


@pytest.mark.parametrize("kind", ["xgboost", "linear"])
@pytest.mark.parametrize("features", [{"numeric": ["a", "b"]}, {"categorical": ["c"]}])
def test_models_of_one_kind_of_feature_are_folded_too(kind, features):
    chosen = make_config(features=features).features
    family, pipeline = fitted(kind, "binary", features=chosen)
    rows = make_frame(50, seed=5).select(chosen.names).to_dicts()

    assert agree(family, pipeline, rows).largest <= 1e-6


def test_a_level_named_like_the_placeholder_of_the_unknown_stays_a_level():
    frame = make_frame(600).with_columns(c=pl.col("c").replace({"red": "?", "green": "??"}))
    family, pipeline = fitted("xgboost", "binary", frame)
    column = family.spec(pipeline)[0].columns[-1]

    assert {"?", "??"} < column.table.keys()
    assert column.unknown != column.table["?"]


def test_every_tree_of_a_booster_is_served():
    _, pipeline = fitted("xgboost", "binary")
    booster = pipeline["model"].get_booster()

    assert booster.num_boosted_rounds() == ROUNDS["n_estimators"]
    assert "best_iteration" not in booster.attributes()


def test_a_scorer_that_says_something_else_is_refused():
    family, pipeline = MODELS["linear", "binary"]
    spec, *_ = family.spec(pipeline)
    bent = msgspec.structs.replace(spec, intercept=spec.intercept + 0.01)
    frame = make_frame(100)
    expected = family.scores(pipeline, Sample(frame.select("a", "b", "c"), np.empty(0)))

    with pytest.raises(ParityRefused, match="differs from the fitted pipeline by up to 0"):
        check_parity(scorer_files(bent, None), frame.select("a", "b", "c").to_dicts(), expected, "binary")


def test_a_score_that_is_no_number_is_refused():
    family, pipeline = MODELS["linear", "regression"]
    spec, *_ = family.spec(pipeline)
    bent = msgspec.structs.replace(spec, coefficients=(float("1e308"),) * len(spec.coefficients))
    rows = [{"a": 1e300, "b": 0.0, "c": "red"}]

    with pytest.raises(ParityRefused), np.errstate(all="ignore"):
        check_parity(scorer_files(bent, None), rows, np.array([1.0]), "regression")
