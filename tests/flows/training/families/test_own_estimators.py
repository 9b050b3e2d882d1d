"""One line of configuration for an estimator of one's own; its mistakes become refusals, its types are trusted."""

import json

import numpy as np
import pytest
from families_making import TASKS, budget, ending, family_of, fold_of, rows_of, unseen
from training_making import NOW, make_config, make_frame

from flows.errors import ConfigError, DataError
from flows.training.candidate import train_candidate
from flows.training.families.family import Setting, fit
from flows.training.families.own import trusted_module
from flows.training.packing import pack
from flows.training.rows import Sample
from registry.errors import ArtifactRefused
from registry.scoring.scorer import Scorer

NAMES = {"binary": "own_making:Centres", "multiclass": "own_making:Centres", "regression": "own_making:Slope"}


def packed(name, task):
    family = family_of(name, task)
    setting = family.search(fold_of(task), budget(3))[0]
    pipeline = fit(family, setting, rows_of(task))
    rows = unseen()
    expected = family.scores(pipeline, Sample(rows, np.empty(0)))
    found = pack(
        pipeline,
        family.features,
        task,
        rows=rows.to_dicts(),
        expected=expected,
        folding=lambda: family.spec(pipeline),
        ending=ending(task),
        package=trusted_module(name),
    )
    return found, setting


@pytest.mark.parametrize("task", TASKS)
def test_it_is_searched_fitted_and_served_as_it_was_fitted(task):
    found, setting = packed(NAMES[task], task)

    assert found.serving == "original"
    assert found.parity.largest <= 1e-12
    assert set(setting.params) == (set() if task == "regression" else {"sharpness", "unused"})
    assert json.loads(found.files["scorer.json"])["trusted"] == [NAMES[task].replace(":", ".")]


def test_a_known_class_of_a_library_is_compiled():
    found, _ = packed("sklearn.ensemble:ExtraTreesClassifier", "multiclass")

    assert (found.serving, json.loads(found.files["scorer.json"])["trusted"]) == ("compiled", [])


def test_without_the_line_of_configuration_its_types_are_not_trusted():
    found, _ = packed(NAMES["binary"], "binary")
    spec = json.loads(found.files["scorer.json"]) | {"trusted": []}

    with pytest.raises(ArtifactRefused, match=r"types that are not trusted: own_making\.Centres"):
        Scorer.of({**found.files, "scorer.json": json.dumps(spec).encode()})


@pytest.mark.parametrize(
    ("trusted", "why"),
    [
        (["os.system"], "types of os, which no version may"),
        (["builtins.eval"], "types of builtins, which no version may"),
        (["sklearn.utils.Bunch"], "types of sklearn, which no version may"),
        (["own_making.system"], r"own_making\.system, which is no class of that package"),
        (["own_making.function"], r"own_making\.function, which is no class of that package"),
        (["not_installed.Thing"], "its module not_installed cannot be imported here"),
        (["own_making.Centres", "other.Thing"], "types of several packages: other, own_making"),
    ],
)
def test_a_version_cannot_ask_to_trust_more_than_one_package_of_its_user(trusted, why):
    found, _ = packed(NAMES["binary"], "binary")
    spec = json.loads(found.files["scorer.json"]) | {"trusted": trusted}

    with pytest.raises(ArtifactRefused, match=f"(?i){why}"):
        Scorer.of({**found.files, "scorer.json": json.dumps(spec).encode()})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere_at_all:Thing", "module nowhere_at_all cannot be imported: ModuleNotFoundError"),
        ("own_making:Absent", "module own_making has no Absent"),
        ("own_making:function", "it is a function, not a class"),
        ("own_making:Slope", "it has no predict_proba, which the task binary needs"),
        ("own_making:Nearest", "it has no get_params"),
    ],
)
def test_what_is_no_estimator_is_refused_before_anything_is_trained(name, why):
    with pytest.raises(ConfigError) as caught:
        family_of(name, "binary")

    assert why.lower() in caught.value.why.lower()


def test_rows_with_weights_need_an_estimator_that_takes_them():
    with pytest.raises(ConfigError, match=r"takes no sample_weight, and training\.recency gives rows weights"):
        family_of("own_making:Slope", "regression", recency="30d")


def test_what_it_raises_is_said_in_its_name():
    family = family_of("own_making:Breaks", "binary")

    with pytest.raises(DataError, match="own_making:Breaks cannot fit: it raised RuntimeError: no centre today"):
        fit(family, Setting(family.name), rows_of("binary"))


def test_scores_that_are_no_numbers_are_refused():
    family = family_of("own_making:Unsure", "binary")
    fitted = fit(family, Setting(family.name), rows_of("binary"))

    with pytest.raises(DataError, match="own_making:Unsure cannot score: it says nan"):
        family.scores(fitted, rows_of("binary"))


def test_a_candidate_of_it_competes_with_the_others():
    config = make_config(training={"families": ["own_making:Centres"], "trials": 2})
    candidate = train_candidate(config, make_frame(800), champion=None, champion_scorer=None, seed=0, as_of=NOW)

    assert (candidate.algorithm, candidate.serving) == ("own_making:Centres", "original")
    assert candidate.metrics["auc"] > 0.7
    assert candidate.parity <= 1e-12
