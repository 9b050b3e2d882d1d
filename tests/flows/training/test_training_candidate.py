import functools
import hashlib
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from training_making import NOW, make_config, make_frame

from flows.detection.univariate.profile import ReferenceProfile
from flows.errors import DataError, NotEnoughData
from flows.training.candidate import train_candidate
from flows.training.families.boosting import START
from flows.training.publish import publish
from registry.scoring.scorer import Scorer

HERE = Path(__file__).parent


def train(config, frame, **more):
    given = {"champion": None, "champion_scorer": None, "seed": 0, "as_of": NOW}
    return train_candidate(config, frame, **(given | more))


@functools.cache
def trained(task="binary", refit=True):
    """A candidate that tests only look at; it is frozen."""
    return train(make_config(task, training={} if refit else {"refit": False}), make_frame(1500, task=task))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_candidate_learns_the_truth_and_says_how_well(task):
    candidate = trained(task)

    holdout = candidate.holdout
    assert len(holdout.labels) == 300
    assert candidate.metrics.get("auc", 1) > 0.85
    assert candidate.metrics.get("r2", 1) > 0.6
    assert candidate.parity <= 1e-4
    assert candidate.data.rows == 1500
    assert candidate.data.end == NOW


def test_the_files_score_the_holdout_as_recorded_when_nothing_is_refit():
    frame = make_frame(1500)

    candidate = trained(refit=False)

    rows = frame.tail(300).select("a", "b", "c").to_dicts()
    assert Scorer.of(candidate.files).score(rows) == pytest.approx(candidate.holdout.challenger, abs=1e-6)
    assert candidate.data.rows == 1200
    assert "has not seen the holdout" in candidate.files["card.md"].decode()


def test_a_refit_model_has_learned_from_the_holdout_but_is_judged_without_it():
    refit, kept = trained(), trained(refit=False)

    assert refit.metrics == kept.metrics
    assert refit.files["scorer.json"] != kept.files["scorer.json"]
    assert "then fitted again on all rows" in refit.files["card.md"].decode()
    assert refit.params["refit"] is True


def test_the_reference_holds_all_rows_and_the_scores_of_the_holdout_alone():
    candidate = trained()

    reference = ReferenceProfile.from_json(candidate.files["reference.json"])
    assert reference.rows == 1500
    assert reference.score.n == 300
    assert reference.score.missing == 0
    assert reference.label.mean == pytest.approx(make_frame(1500)["_label"].mean())


def test_the_champions_parameters_are_tried_first(registry, artifacts):
    config = make_config(training={"trials": 1, "families": ["xgboost"]})
    first = train(config, make_frame(800))
    champion = publish(first, registry, artifacts, config=config, actor="ann", reason="test", at=NOW)
    theirs = START | {"max_depth": 3, "learning_rate": 0.2}
    bent = champion.__class__.from_json(champion.to_json().replace(b'"max_depth":5', b'"max_depth":3'))

    candidate = train(config, make_frame(800), champion=bent, champion_scorer=Scorer.of(first.files))

    assert first.params["max_depth"] == START["max_depth"]
    assert candidate.params["max_depth"] == theirs["max_depth"]


def test_champion_and_candidate_are_scored_on_the_same_rows_and_unseen_ones_are_counted(registry, artifacts):
    config = make_config(training={"trials": 0, "families": ["linear"], "min_rows": 100}, promotion={"min_holdout": 50})
    frame = make_frame(1500)
    first = train(config, frame.head(1000))
    champion = publish(first, registry, artifacts, config=config, actor="ann", reason="test", at=NOW)

    fresh = train(config, frame, champion=champion, champion_scorer=Scorer.of(first.files))
    stale = train(config, frame.head(1010), champion=champion, champion_scorer=Scorer.of(first.files))

    assert fresh.holdout.unseen == len(fresh.holdout.labels) == 250
    assert fresh.baseline_metrics.keys() == fresh.metrics.keys()
    assert stale.holdout.unseen == 10
    assert len(stale.holdout.labels) == 50
    assert stale.baseline_metrics == {}


def test_a_champion_whose_feature_is_gone_cannot_be_compared(registry, artifacts):
    config = make_config(training={"trials": 0, "families": ["linear"]})
    first = train(config, make_frame(600))
    champion = publish(first, registry, artifacts, config=config, actor="ann", reason="test", at=NOW)
    fewer = make_config(features={"numeric": ["a"]}, training={"trials": 0})
    scorer = Scorer.of(first.files)

    assert train(fewer, make_frame(600), champion=champion, champion_scorer=scorer).holdout.champion is not None
    with pytest.raises(DataError, match="champion needs 'b', 'c'"):
        train(fewer, make_frame(600).drop("b", "c"), champion=champion, champion_scorer=scorer)


def test_after_a_sudden_turn_of_the_truth_the_short_memory_wins():
    windows = {"window": None, "candidate_windows": ["20d"], "min_rows": 400}
    turned = make_frame(3000, turn=1600)

    assert train(make_config(training=windows), turned).params["window"] == "20d"


def test_without_a_turn_the_long_memory_is_no_worse():
    windows = {"window": None, "candidate_windows": ["10d"], "min_rows": 200, "trials": 0}
    entries = train(make_config(training=windows), make_frame(3000)).entries

    assert entries[0].window is None


def test_no_trials_and_no_time_still_make_a_model():
    impatient = {"trials": 50, "time_budget": "0s"}

    assert train(make_config(training={"trials": 0}), make_frame(600)).metrics["auc"] > 0.8
    assert train(make_config(training=impatient), make_frame(600)).metrics["auc"] > 0.8


def test_more_trials_are_never_asked_for_than_configured():
    heard = []

    train(make_config(training={"trials": 4}), make_frame(600), on_progress=lambda share, doing: heard.append(doing))

    assert [said for said in heard if said.startswith("Trial")] == [f"Trial {n} of 4" for n in (1, 2, 3, 4)]


def test_progress_only_grows_and_stays_within_the_whole():
    shares = []

    train(make_config(), make_frame(600), on_progress=lambda share, doing: shares.append(share))

    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_a_class_that_only_appears_in_the_holdout_cannot_be_learned():
    frame = make_frame(600).with_columns(_label=(pl.int_range(pl.len()) > 550).cast(pl.Float64))

    with pytest.raises(DataError, match="all 480 labels are 0"):
        train(make_config(), frame)


def test_a_class_that_appears_late_is_learned_from_the_folds_after_it():
    late = (pl.int_range(pl.len()) > 650).cast(pl.Float64) * (pl.int_range(pl.len()) % 2)
    entries = train(make_config(), make_frame(1000).with_columns(_label=late)).entries

    assert 1 <= len(entries[0].losses) < 4


def test_a_class_that_appears_after_the_rows_of_the_search_began_still_makes_a_model():
    """Of 6000 rows before the holdout, 750 are for the search, and a fold has 375."""
    late = (pl.int_range(pl.len()) > 5400).cast(pl.Float64) * (pl.int_range(pl.len()) % 2)
    entries = train(make_config(training={"trials": 0}), make_frame(7500).with_columns(_label=late)).entries

    assert len(entries[0].losses) == 1


def test_too_few_rows_are_refused_with_found_and_needed():
    with pytest.raises(NotEnoughData, match=r"150 in window all \(of 150 in all\); needed: 200"):
        train(make_config(), make_frame(150))


def test_an_all_null_feature_is_named():
    with pytest.raises(DataError, match="feature 'b' has no value at all"):
        train(make_config(), make_frame(600).with_columns(b=pl.lit(None, pl.Float64)))


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from training_making import NOW, make_config, make_frame
from test_training_candidate import digest, train
task, threads = sys.argv[2], int(sys.argv[3])
print(digest(train(make_config(task, training={"threads": threads}), make_frame(800, task=task))))
"""


def digest(candidate):
    whole = b"".join(name.encode() + candidate.files[name] for name in sorted(candidate.files))
    return hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("task", ["binary", pytest.param("regression", marks=pytest.mark.long)])
def test_another_process_with_more_threads_makes_the_same_bytes(task):
    ours = digest(train(make_config(task), make_frame(800, task=task)))
    environment = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}

    theirs = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(HERE), task, "2"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert theirs.stdout.strip() == ours


def test_another_seed_makes_other_bytes():
    frame = make_frame(800)

    assert digest(train(make_config(), frame, seed=1)) != digest(train(make_config(), frame))


@pytest.mark.long
def test_ten_trials_on_ten_thousand_rows_take_less_than_ten_seconds_of_one_core():
    dice = np.random.default_rng(0)
    numbers = {f"x{n}": dice.normal(size=10_000) for n in range(8)}
    levels = {f"c{n}": dice.choice(list("abcdefgh"), 10_000) for n in range(2)}
    frame = pl.DataFrame(numbers | levels).with_columns(
        _time=pl.int_range(pl.len()) * 60.0,
        _key=pl.int_range(pl.len()).cast(pl.String),
        _label=(pl.col("x0") * pl.col("x1") + pl.col("x2") + (pl.col("c0") == "a") > 0).cast(pl.Float64),
    )
    features = {"numeric": list(numbers), "categorical": list(levels)}
    config = make_config(features=features, training={"trials": 10, "min_rows": 10_000})

    started = time.process_time()
    train(config, frame)

    assert time.process_time() - started < 10


def real(name):
    folder = os.environ.get("UNDERSTUDY_DATA")
    if not folder:
        pytest.skip("UNDERSTUDY_DATA names no folder")
    return pl.read_parquet(Path(folder) / f"{name}.parquet")


@pytest.mark.parametrize("family", ["xgboost", "linear"])
def test_real_conversions_are_scored_as_fitted(family):
    from flows.data import prepare

    numeric = ["age", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx", "euribor3m"]
    categorical = ["job", "marital", "education", "default", "contact", "month", "poutcome"]
    config = make_config(
        features={"numeric": numeric, "categorical": categorical},
        data={"positive": "yes", "row_every": "30m"},
        training={"families": [family], "window": "180d", "trials": 3},
    )

    candidate = train(config, prepare(config, real("bank_additional")))

    assert candidate.parity <= 1e-4
    assert 0.5 < candidate.metrics["auc"] < 1


@pytest.mark.parametrize("family", ["xgboost", "linear"])
def test_real_rentals_are_scored_as_fitted(family):
    from flows.data import prepare

    config = make_config(
        "regression",
        target="cnt",
        features={"numeric": ["hr", "temp", "hum", "windspeed"], "categorical": ["season", "weathersit", "weekday"]},
        data={"time": "ts"},
        training={"families": [family], "window": "180d", "candidate_windows": ["90d"], "trials": 3},
    )

    candidate = train(config, prepare(config, real("bike_hourly")))

    assert candidate.data.end - candidate.data.start <= timedelta(days=180)
    assert candidate.metrics["r2"] > (0.6 if family == "xgboost" else 0.1)
