"""`understudy models publish`: a pipeline fitted elsewhere becomes a version, or is refused with the reason."""

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from cli_making import CHURN, tree
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures

from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.scoring.scorer import Scorer
from registry.store.registry import Registry

FILE = "pipeline.skops"


def holdout(rows=400, seed=1):
    dice = np.random.default_rng(seed)
    age, plan = dice.integers(18, 80, rows).astype(float), dice.choice(["a", "b"], rows)
    left = np.where(dice.random(rows) < 1 / (1 + np.exp(-(age - 50) / 8 - (plan == "b"))), "yes", "no")
    return pl.DataFrame({"plan": plan, "age": age, "left": left}).with_columns(
        age=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("age")
    )


def fitted(*between):
    """Fitted on text before numbers, which is not the order of the configuration."""
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepared = ColumnTransformer([("text", encode, ["plan"]), ("number", SimpleImputer(), ["age"])])
    table = holdout(seed=2)
    return make_pipeline(prepared, *between, LogisticRegression(max_iter=5000)).fit(
        table.select("plan", "age"), table["left"] == "yes"
    )


@pytest.fixture
def churn(understudy):
    Path("churn.yaml").write_text(CHURN.replace("positive:", "kpis: {revenue: euros}, time: asked_at, positive:"))
    understudy("init", "churn.yaml")
    holdout().write_csv("holdout.csv")
    understudy("models")  # what opening the registry makes is there before anything is compared
    return understudy


def publish(terminal, pipeline, *words):
    skops.io.dump(pipeline, FILE)
    return terminal("models", "publish", "churn", FILE, "--data", "holdout.csv", *words)


def stored(version):
    settings = Settings()
    with Registry.open(settings.registry_url) as registry:
        found = registry.version("churn", version)
    return found, ArtifactStore(settings.models_dir).load("churn", version, found.artifact_digest)


def test_a_pipeline_that_folds_is_compiled_and_says_the_same(churn):
    pipeline = fitted()
    said = publish(churn, pipeline, "--json").json

    version, files = stored("v1.0.0")
    table = holdout(seed=3)
    expected = pipeline.predict_proba(table.select("plan", "age"))[:, 1]
    assert (said["served"], said["because"], said["registered"], said["holdout_rows"]) == ("compiled", "", True, 400)
    assert said["largest_difference"] == version.parity < 1e-9
    assert (version.stage, version.algorithm, version.serving) == ("staging", "LogisticRegression", "compiled")
    assert sorted(files) == ["card.md", "reference.json", "scorer.json"]
    assert Scorer.of(files).score(table.to_dicts()) == pytest.approx(expected, abs=1e-9)
    assert version.metrics["auc"] > 0.8
    assert [(feature.name, feature.levels) for feature in version.features] == [("age", ()), ("plan", ("a", "b"))]


def test_a_pipeline_that_does_not_fold_is_served_itself_and_the_reason_is_told(churn):
    pipeline = fitted(PolynomialFeatures(2))
    shown = publish(churn, pipeline)

    version, files = stored("v1.0.0")
    table = holdout(seed=3)
    expected = pipeline.predict_proba(table.select("plan", "age"))[:, 1]
    assert shown.code == 0, shown.err
    assert "PolynomialFeatures was not folded" in shown.out
    assert "Next: `understudy promote churn v1.0.0" in shown.out
    assert version.serving == "original"
    assert Scorer.of(files).score(table.to_dicts()).tolist() == expected.tolist()


def test_the_version_becomes_the_first_champion_like_any_other(churn):
    publish(churn, fitted())

    assert "first champion" in churn("promote", "churn", "v1.0.0", "--reason", "ours", "--json").json["said"]
    assert publish(churn, fitted(), "--json").json["version"] == "v1.1.0"


def test_a_dry_run_compares_and_stores_nothing(churn):
    before = tree()
    shown = publish(churn, fitted(), "--dry-run")

    assert shown.out.rstrip().endswith("Nothing was stored.")
    assert tree() == before


def test_another_target_than_the_configured_one_can_be_named(churn):
    holdout().rename({"left": "gone"}).write_csv("holdout.csv")

    assert publish(churn, fitted(), "--target", "gone", "--json").json["registered"]
    assert stored("v1.0.0")[0].target == "gone"


def home_made(table):
    return table


def test_what_could_run_code_is_never_loaded(churn):
    foreign = publish(churn, fitted(FunctionTransformer(home_made))).refused(3)
    Path(FILE).write_bytes(pickle.dumps(fitted()))
    pickled = churn("models", "publish", "churn", FILE, "--data", "holdout.csv").refused(3)

    assert "holds types that are not trusted" in foreign
    assert "home_made" in foreign
    assert "Pickle and joblib files run code" in pickled


def test_a_pipeline_of_other_columns_names_them(churn):
    table = holdout().with_columns(plan=pl.lit(1.0), height=pl.lit(2.0)).drop_nulls()
    strange = LogisticRegression().fit(table.select("age", "height"), table["left"] == "yes")

    said = publish(churn, strange).refused()

    assert "it was fitted on 'height', which is no feature" in said
    assert "it was not fitted on the feature 'plan'" in said


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (LinearRegression(), "It has no predict_proba, but the task of churn is binary."),
        (LogisticRegression(), "Its classes are 0, 1, 2; expected two"),
    ],
)
def test_a_pipeline_of_another_task_is_refused(churn, pipeline, why):
    table = holdout().drop_nulls()
    encode = ColumnTransformer([("text", OneHotEncoder(), ["plan"])], remainder="passthrough")
    fitted_otherwise = make_pipeline(encode, pipeline).fit(table.select("plan", "age"), np.arange(table.height) % 3)

    assert why in publish(churn, fitted_otherwise).refused()


def test_rows_that_it_cannot_score_are_refused_with_what_it_says(churn):
    encode = ColumnTransformer([("text", OneHotEncoder(), ["plan"])], remainder="passthrough")
    table = holdout().drop_nulls()
    brittle = make_pipeline(encode, LogisticRegression()).fit(table.select("plan", "age"), table["left"] == "yes")

    said = publish(churn, brittle).refused()

    assert "It cannot score the holdout: ValueError: Input X contains NaN." in said


def test_a_holdout_without_labels_is_too_little(churn):
    holdout().with_columns(left=pl.lit(None, dtype=pl.String)).write_csv("holdout.csv")

    assert "None of 400 rows has a label" in publish(churn, fitted()).refused(1)
