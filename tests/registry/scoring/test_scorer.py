"""A folded pipeline scores like the fitted one, row by row and many at once."""

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, InvalidRecord
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec

AGE = NumericColumn(feature="age", fill=40.0, shift=40.0, scale=10.0)
INCOME = NumericColumn(feature="income")
PLAN = CategoryColumn(
    feature="plan", table={"a": (1.0, 0.0), "b": (0.0, 1.0), "true": (5.0, 5.0)}, unknown=(0.0, 0.0), missing=(0.5, 0.5)
)


def linear(task="binary", **changes):
    fields = {
        "task": task,
        "kind": "linear",
        "columns": (AGE, PLAN),
        "coefficients": (1.0, 2.0, -2.0),
        "intercept": 0.25,
    }
    return ScorerSpec(**fields | changes)


@pytest.fixture(scope="module")
def boosted():
    import xgboost

    dice = np.random.default_rng(3)
    table = dice.normal(size=(500, 4)).astype(np.float32)
    table[dice.random(table.shape) < 0.05] = np.nan
    target = (np.nan_to_num(table[:, 0]) + dice.normal(size=500) > 0).astype(int)
    options = {"objective": "binary:logistic", "nthread": 1, "max_depth": 3, "seed": 1}
    booster = xgboost.train(options, xgboost.DMatrix(table, label=target), 20)
    columns = tuple(NumericColumn(feature=name) for name in "wxyz")
    spec = ScorerSpec(task="binary", kind="xgboost", columns=columns, booster="model.ubj")
    return spec, booster, table


def rows_of(table):
    return [{n: None if np.isnan(v) else float(v) for n, v in zip("wxyz", row, strict=True)} for row in table]


def test_numbers_are_filled_shifted_and_scaled():
    encoded = Scorer(linear()).encode([{"age": 60}, {"age": None}, {}, {"age": float("nan")}, {"age": True}])

    assert encoded.dtype == np.float32
    assert encoded[:, 0].tolist() == pytest.approx([2.0, 0.0, 0.0, 0.0, -3.9])


def test_a_missing_number_without_a_fill_stays_missing():
    spec = linear(columns=(INCOME,), coefficients=(1.0,))

    assert np.isnan(Scorer(spec).encode([{}])).all()


def test_levels_are_looked_up_unknown_and_missing_apart():
    rows = [{"plan": "a"}, {"plan": "zzz"}, {"plan": None}, {}, {"plan": float("nan")}, {"plan": True}, {"plan": 7}]

    assert Scorer(linear()).encode(rows)[:, 1:].tolist() == [
        [1, 0],
        [0, 0],
        [0.5, 0.5],
        [0.5, 0.5],
        [0.5, 0.5],
        [5, 5],
        [0, 0],
    ]


def test_columns_come_in_the_order_of_the_spec():
    spec = linear(columns=(PLAN, INCOME, AGE), coefficients=(1.0, 1.0, 1.0, 1.0))

    assert Scorer(spec).encode([{"plan": "b", "income": 9, "age": 50}]).tolist() == [[0, 1, 9, 1]]


def test_a_number_that_is_none_names_the_feature():
    with pytest.raises(ValueError, match="feature 'age' is 'old', not a number"):
        Scorer(linear()).score([{"age": "old"}])


def test_a_linear_binary_score_is_the_logistic_function():
    scores = Scorer(linear()).score([{"age": 50, "plan": "a"}, {"age": -1e9, "plan": "b"}, {"age": 1e9, "plan": "b"}])

    assert scores[0] == pytest.approx(1 / (1 + np.exp(-3.25)), rel=1e-12)
    assert scores[1:].tolist() == [0.0, 1.0]


def test_a_linear_regression_score_is_the_value():
    scorer = Scorer(linear("regression"))
    scores = scorer.score([{"age": 50, "plan": "a"}])

    assert scores.tolist() == [3.25]
    assert scorer.predictions(scores) == [3.25]


def test_predictions_meet_the_threshold():
    predictions = Scorer(linear(threshold=0.7)).predictions(np.array([0.69, 0.7, 0.71]))

    assert predictions == [0, 1, 1]
    assert {type(value) for value in predictions} == {int}


def test_boosted_scores_agree_with_the_booster(boosted):
    import xgboost

    spec, booster, table = boosted
    scorer = Scorer(spec, bytes(booster.save_raw("ubj")))

    assert scorer.score(rows_of(table)) == pytest.approx(booster.predict(xgboost.DMatrix(table)), abs=1e-6)
    assert scorer.score(rows_of(table)).dtype == np.float64


def test_one_row_scores_as_in_a_batch(boosted):
    spec, booster, table = boosted
    scorer = Scorer(spec, bytes(booster.save_raw("ubj")))
    rows = rows_of(table[:50])

    assert [scorer.score([row])[0] for row in rows] == scorer.score(rows).tolist()


def test_trees_after_the_best_iteration_stay_unused(boosted):
    spec, booster, table = boosted
    booster = booster.copy()
    booster.set_attr(best_iteration="4")
    stopped = Scorer(spec, bytes(booster.save_raw("ubj"))).score(rows_of(table))
    cut = Scorer(spec, bytes(booster[:5].save_raw("ubj"))).score(rows_of(table))

    assert stopped.tolist() == pytest.approx(cut.tolist(), abs=1e-7)


@pytest.mark.parametrize("kind", ["linear", "boosted"])
def test_no_rows_have_no_scores(kind, boosted):
    scorer = Scorer(linear()) if kind == "linear" else Scorer(boosted[0], bytes(boosted[1].save_raw("ubj")))

    assert scorer.score([]).shape == (0,)
    assert scorer.encode([]).shape == (0, scorer.spec.width)
    assert scorer.predictions(scorer.score([])) == []


@given(
    row=st.fixed_dictionaries(
        {
            "age": st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_infinity=False) | st.booleans(),
            "plan": st.none() | st.text() | st.booleans() | st.integers() | st.floats(),
            "extra": st.text(),
        }
    )
)
def test_any_valid_row_has_a_probability(row):
    (score,) = Scorer(linear()).score([row])

    assert 0 <= score <= 1


def test_a_scorer_travels_through_the_artifact_store(boosted, tmp_path):
    spec, booster, table = boosted
    raw = bytes(booster.save_raw("ubj"))
    store = ArtifactStore(tmp_path)
    digest = store.save("churn", "v1.0.0", scorer_files(spec, raw) | {"card.md": b"# churn"})
    loaded = Scorer.load(store.open("churn", "v1.0.0", digest))

    assert loaded.spec == spec
    assert loaded.score(rows_of(table)).tolist() == Scorer(spec, raw).score(rows_of(table)).tolist()
    assert Scorer.of(store.load("churn", "v1.0.0", digest)).spec == spec


def test_a_linear_scorer_needs_one_file():
    files = scorer_files(linear(), None)

    assert list(files) == ["scorer.json"]
    assert Scorer.of(files).score([{"age": 40, "plan": "?"}])[0] == pytest.approx(1 / (1 + np.exp(-0.25)))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, r"There is no scorer\.json"),
        ({"scorer.json": b"{"}, r"Scorer\.json: Input data was truncated"),
        ({"scorer.json": b'{"format": "other"}'}, "Invalid enum value"),
    ],
)
def test_files_that_are_no_scorer_are_refused(files, why):
    with pytest.raises(ArtifactRefused, match=why):
        Scorer.of(files)


def test_a_missing_or_broken_booster_is_refused(boosted, tmp_path):
    spec = boosted[0]
    with pytest.raises(ArtifactRefused, match=r"There is no model\.ubj"):
        Scorer.of({"scorer.json": spec.to_json()})
    with pytest.raises(ArtifactRefused, match="The booster is unreadable"):
        Scorer.of({"scorer.json": spec.to_json(), "model.ubj": b"nonsense"})
    with pytest.raises(ArtifactRefused, match="none is given"):
        scorer_files(spec, None)
    with pytest.raises(ArtifactRefused, match="No such file"):
        Scorer.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"coefficients": (1.0,)}, "1 coefficients for 3 encoded columns"),
        ({"kind": "xgboost"}, "names no booster"),
        ({"booster": "model.ubj"}, "a linear scorer has no booster"),
        ({"columns": (NumericColumn(feature="age", scale=0.0),)}, "scale not 0"),
        ({"columns": (NumericColumn(feature="age", fill=float("inf")),)}, "must be finite"),
        ({"columns": (CategoryColumn(feature="p", table={}, unknown=(1.0,), missing=()),)}, r"\[0, 1\] numbers"),
    ],
)
def test_a_spec_that_could_not_score_is_refused(changes, why):
    with pytest.raises(InvalidRecord, match=why):
        linear(**changes)


def test_scoring_works_where_no_training_library_is_installed(boosted, tmp_path):
    spec, booster, _ = boosted
    for name, content in scorer_files(spec, bytes(booster.save_raw("ubj"))).items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import os, sys; from pathlib import Path\n"
        "sys.modules |= dict.fromkeys(['sklearn', 'pandas', 'polars', 'scipy.stats', 'prefect', 'sqlalchemy'])\n"
        "from registry.scoring.scorer import Scorer\n"
        "assert 'xgboost' not in sys.modules\n"
        "Scorer.load(Path(sys.argv[1])).score([{'w': 1.0}])\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE' and os.environ['GOMP_SPINCOUNT'] == '0'\n"
        "print('scored')"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, check=True, timeout=60, stdout=-1, text=True).stdout == "scored\n"


def test_one_row_is_scored_within_two_milliseconds(boosted):
    spec, booster, table = boosted
    scorer, rows = Scorer(spec, bytes(booster.save_raw("ubj"))), rows_of(table[:1])
    times = []
    for _ in range(50):
        started = time.perf_counter()
        scorer.score(rows)
        times.append(time.perf_counter() - started)

    assert sorted(times)[25] < 0.002
