"""A pipeline is compiled if that says the same; else it is served itself, and the version says why."""

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from training_making import NOW, make_config, make_frame

from flows.training.candidate import train_candidate
from flows.training.errors import ParityRefused
from flows.training.families.boosting import Boosting
from flows.training.folding.errors import CannotFold
from flows.training.folding.fold import fold
from flows.training.packing import pack
from flows.training.publish import publish
from registry.errors import ArtifactRefused
from registry.scoring.scorer import Scorer

CONFIG = make_config(features={"numeric": ["a", "b"]})
CATEGORIES = make_config().features


def fitted(*steps, features=CONFIG.features):
    frame = make_frame(400).with_columns(pl.col("a").fill_null(50.0))
    pipeline = make_pipeline(*steps, LogisticRegression())
    part = frame.select(features.names)
    pipeline.fit(part, frame["_label"].to_numpy())
    return pipeline, part.to_dicts(), pipeline.predict_proba(part)[:, 1]


def packed(*steps, features=CONFIG.features, folding=None):
    pipeline, rows, expected = fitted(*steps, features=features)
    return pack(pipeline, features, "binary", rows=rows, expected=expected, folding=folding), rows, expected


def test_a_pipeline_that_folds_is_compiled():
    found, rows, expected = packed(StandardScaler())

    assert (found.serving, found.why) == ("compiled", "")
    assert found.parity.largest <= 1e-12
    assert Scorer.of(found.files).score(rows) == pytest.approx(expected, abs=1e-12)


def test_a_pipeline_that_cannot_be_folded_is_served_itself_with_the_reason():
    found, rows, expected = packed(StandardScaler(), PolynomialFeatures(2))
    scorer = Scorer.of(found.files)

    assert found.serving == scorer.serving == "original"
    assert found.why == "PolynomialFeatures was not folded. It is not among the steps that can be folded."
    assert list(found.files) == ["scorer.json", "pipeline.skops"]
    assert scorer.compiled is None
    assert scorer.score(rows).tolist() == expected.tolist()
    assert found.parity.largest == 0.0


def test_a_converter_that_is_wrong_is_found_out_and_the_original_is_served():
    pipeline, rows, expected = fitted(StandardScaler())

    def wrong():
        folded = fold(pipeline, numeric=["a", "b"])
        spec = msgspec.structs.replace(folded.spec, intercept=folded.spec.intercept + 0.01)
        return folded._replace(spec=spec)

    found = pack(pipeline, CONFIG.features, "binary", rows=rows, expected=expected, folding=wrong)

    assert found.serving == "original"
    assert "differs from the fitted pipeline by up to 0.002" in found.why
    assert found.parity.largest == 0.0


def test_a_converter_that_breaks_is_no_reason_not_to_publish():
    found, _, _ = packed(StandardScaler(), folding=lambda: {}["no such attribute"])

    assert found.serving == "original"
    assert "Folding failed with KeyError: 'no such attribute'" in found.why


def test_what_can_neither_be_folded_nor_stored_is_refused_with_both_reasons():
    def home_made(table):
        return table * 2

    with pytest.raises(ArtifactRefused) as caught:
        packed(FunctionTransformer(home_made))

    assert "FunctionTransformer was not folded" in caught.value.why
    assert "Nor can it be stored as it is" in caught.value.why


def test_an_original_that_says_something_else_is_refused():
    pipeline, rows, expected = fitted(StandardScaler(), PolynomialFeatures(2))

    with pytest.raises(ParityRefused, match="differs from the fitted pipeline"):
        pack(pipeline, CONFIG.features, "binary", rows=rows, expected=expected + 0.01)


@pytest.mark.parametrize(
    ("encoder", "why"),
    [
        (OneHotEncoder(), "refuses unknown levels of c"),
        (FunctionTransformer(np.asarray), "not among the steps"),
        ("passthrough", "gets c as text"),
    ],
)
def test_a_category_without_an_exact_table_is_not_folded(encoder, why):
    frame = make_frame(200).select("a", "c").with_columns(pl.col("a").fill_null(0.0))
    pipeline = make_pipeline(ColumnTransformer([("c", encoder, ["c"]), ("n", "passthrough", ["a"])]))
    pipeline.fit(frame)
    pipeline.steps.append(("model", LogisticRegression().fit(np.zeros((2, 2)), [0, 1])))

    with pytest.raises(CannotFold, match=why):
        fold(pipeline, numeric=["a"], categorical=["c"])


def test_three_classes_are_not_folded():
    with pytest.raises(CannotFold, match="tells 3 classes apart"):
        fold(LogisticRegression().fit(np.eye(3), [0, 1, 2]), numeric=["x", "y", "z"])


def test_a_trained_candidate_is_compiled_and_its_card_says_so():
    candidate = train_candidate(make_config(), make_frame(), champion=None, champion_scorer=None, seed=0, as_of=NOW)

    assert (candidate.serving, candidate.serving_reason) == ("compiled", "")
    assert b"Served by: machine code, folded from the fitted pipeline" in candidate.files["card.md"]


def test_a_candidate_that_cannot_be_folded_is_published_as_an_original(monkeypatch, registry, artifacts):
    def refuse(self, fitted):
        raise CannotFold("The XGBoost model", "its objective is unheard of")

    monkeypatch.setattr(Boosting, "spec", refuse)
    config = make_config(training={"families": ["xgboost"], "trials": 1})
    frame = make_frame()
    candidate = train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)
    version = publish(candidate, registry, artifacts, config=config, actor="t", reason="t", at=NOW)
    scorer = Scorer.of(artifacts.load("churn", version.version, version.artifact_digest))

    assert registry.version("churn", version.version).serving == "original"
    assert version.serving_reason == "The XGBoost model was not folded. Its objective is unheard of."
    assert b"the fitted pipeline itself, which is slow. The XGBoost model was not" in candidate.files["card.md"]
    assert 0 <= scorer.score([{"a": 50.0, "b": None, "c": "never seen"}, {"c": None}]).min() <= 1
    assert candidate.parity <= 1e-6
