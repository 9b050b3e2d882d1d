"""Every family learns, says the same when it is compiled, and says the same twice."""

import time
from functools import cache

import numpy as np
import pytest
from families_making import TASKS, budget, ending, family_of, fold_of, rows_of, unseen
from training_making import NOW, make_config, make_frame

from flows.training.candidate import train_candidate
from flows.training.families.family import Budget, fit
from flows.training.families.saying import loss_of
from flows.training.packing import pack
from flows.training.parity import check_parity
from flows.training.rows import Sample
from registry.scoring.scorer import Scorer, scorer_files

FAMILIES = ("xgboost", "lightgbm", "forest", "mlp", "linear")
PAIRS = [(name, task) for name in FAMILIES for task in TASKS]
FARTHEST = {"xgboost": 1e-6}  # it adds up in single precision; all others agree to rounding


@cache
def fitted(name, task):
    family = family_of(name, task)
    setting = family.search(fold_of(task), budget())[0]
    return family, setting, fit(family, setting, rows_of(task))


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_what_is_served_says_what_was_fitted(name, task):
    family, _, pipeline = fitted(name, task)
    rows = unseen()
    expected = family.scores(pipeline, Sample(rows, np.empty(0)))
    features = family.features
    found = pack(
        pipeline,
        features,
        task,
        rows=rows.to_dicts(),
        expected=expected,
        folding=lambda: family.spec(pipeline),
        ending=ending(task),
    )

    assert (found.serving, found.why) == ("compiled", "")
    assert found.parity.relative <= FARTHEST.get(name, 1e-12)
    assert found.parity.scores.shape == ((200, 3) if task == "multiclass" else (200,))


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_a_family_is_better_than_the_mean(name, task):
    family, _, pipeline = fitted(name, task)
    past, future = rows_of(task), rows_of(task, 300, seed=1)
    if task == "regression":
        mean = np.full(300, past.labels.mean())
    else:
        shares = np.bincount(past.labels.astype(int)) / len(past.labels)
        mean = np.tile(shares, (300, 1)) if task == "multiclass" else np.full(300, shares[1])

    assert loss_of(task, future.labels, family.scores(pipeline, future)) < 0.95 * loss_of(task, future.labels, mean)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_the_same_rows_setting_and_seed_give_the_same_bytes(name, task):
    family, setting, pipeline = fitted(name, task)
    again = fit(family_of(name, task), setting, rows_of(task))

    assert scorer_files(*family.spec(again)) == scorer_files(*family.spec(pipeline))


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "forest"])
@pytest.mark.parametrize("task", TASKS)
def test_threads_do_not_change_the_model(name, task):
    family, setting, pipeline = fitted(name, task)
    several = family_of(name, task, threads=3)

    assert scorer_files(*several.spec(fit(several, setting, rows_of(task)))) == scorer_files(*family.spec(pipeline))


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_count_by_their_weights(name):
    family, setting, _ = fitted(name, "binary")
    rows = rows_of("binary")
    weights = np.where(rows.labels == 1, 1.0, 0.05)
    heavy = family.scores(fit(family, setting, Sample(rows.features, rows.labels, weights)), rows)

    assert heavy.mean() > family.scores(fit(family, setting, rows), rows).mean() + 0.1


@pytest.mark.parametrize("name", ["lightgbm", "forest", "mlp"])
def test_a_search_tries_the_champion_first_and_gives_what_json_can_carry(name):
    import json

    family, setting, _ = fitted(name, "binary")
    known = Budget(trials=1, until=time.monotonic() + 60, known=(setting,))
    found = family.search(fold_of("binary"), known)[0]

    assert json.loads(json.dumps(found.params)) == found.params
    assert {**setting.params, **found.params} == found.params


def test_a_scorer_of_a_family_scores_one_row_like_many():
    family, _, pipeline = fitted("forest", "multiclass")
    scorer, rows = Scorer.of(scorer_files(*family.spec(pipeline))), unseen(20).to_dicts()

    assert scorer.probabilities(rows).tolist() == [scorer.probabilities([row])[0].tolist() for row in rows]
    assert (
        check_parity(scorer_files(*family.spec(pipeline)), rows, scorer.probabilities(rows), "multiclass").largest == 0
    )


def test_a_candidate_has_the_same_files_whatever_the_number_of_threads():
    training = {"families": ["lightgbm"], "trials": 2}
    one, several = (
        train_candidate(
            make_config(training={**training, "threads": threads}),
            make_frame(800),
            champion=None,
            champion_scorer=None,
            seed=0,
            as_of=NOW,
        )
        for threads in (1, 3)
    )

    assert one.files == several.files
