"""A weighted mean of families: its weights, and what is served of it."""

import json

import numpy as np
import pytest
from families_making import TASKS, budget, ending, family_of, fold_of, rows_of, unseen
from training_making import NOW, make_config, make_frame

from flows.errors import ConfigError
from flows.training.candidate import train_candidate
from flows.training.families.family import Setting, fit, settings_of
from flows.training.families.saying import loss_of
from flows.training.packing import pack
from flows.training.rows import Sample
from registry.errors import ArtifactRefused
from registry.scoring.scorer import Scorer

MEMBERS = "lightgbm,linear,mlp"


def settled(names, task):
    family = family_of(f"{names},ensemble", task)
    found = [one.search(fold_of(task), budget(1))[0] for one in family.members]
    again = budget(1, tuple(found))
    return family, found, family.search(fold_of(task), again)


def packed(family, setting, task):
    fitted = fit(family, setting, rows_of(task))
    rows = unseen()
    expected = family.scores(fitted, Sample(rows, np.empty(0)))
    options = {"rows": rows.to_dicts(), "expected": expected, "ending": ending(task)}
    return pack(fitted, family.features, task, folding=lambda: family.spec(fitted), **options)


@pytest.mark.parametrize("task", TASKS)
def test_weights_are_not_negative_add_up_to_one_and_its_machine_code_says_what_was_fitted(task):
    family, found, (setting,) = settled(MEMBERS, task)
    members = setting.params["members"]
    done = packed(family, setting, task)

    assert all(one["weight"] > 0 for one in members)
    assert sum(one["weight"] for one in members) == pytest.approx(1)
    assert {one["family"] for one in members} <= {one.family for one in found}
    assert (done.serving, done.why) == ("compiled", "")
    assert done.parity.relative <= 1e-12
    assert json.loads(json.dumps(setting.params)) == setting.params


@pytest.mark.parametrize("task", TASKS)
def test_it_is_no_worse_than_its_worst_member_on_new_rows(task):
    family, found, (setting,) = settled(MEMBERS, task)
    new = rows_of(task, 500, seed=4)
    losses = [
        loss_of(task, new.labels, one.scores(fit(one, way, rows_of(task)), new))
        for one, way in zip(family.members, found, strict=True)
    ]
    together = loss_of(task, new.labels, family.scores(fit(family, setting, rows_of(task)), new))

    assert together < max(losses)
    assert together < min(losses) * 1.05


def test_a_member_that_cannot_be_compiled_is_served_beside_the_others():
    family = family_of("linear,own_making:Centres,ensemble", "binary")
    members = [{"family": "linear", "params": {"penalty": 1.0}, "weight": 0.25}]
    members += [{"family": "own_making:Centres", "params": {}, "weight": 0.75}]
    done = packed(family, Setting("ensemble", {"members": members}), "binary")

    assert (done.serving, done.why) == ("original", "Not every part could be folded.")
    assert done.parity.largest <= 1e-12
    assert sorted(done.files) == ["1.pipeline.skops", "scorer.json"]


def test_one_that_has_all_the_weight_makes_no_ensemble():
    family = family_of("linear,forest,ensemble", "binary")
    bad = Setting("forest", {"max_features": 0.1, "min_samples_leaf": 100, "max_depth": 4})
    rows = rows_of("binary")
    fold = fold_of("binary")
    easy = Sample(rows.features.with_columns(b=rows.labels), rows.labels)
    found = (Setting("linear", {"penalty": 0.01}), bad)

    assert family.search(type(fold)(past=easy, future=easy), budget(1, found)) == []
    assert family.search(fold, budget(1, found[:1])) == []


def test_an_ensemble_needs_two_families_before_it():
    with pytest.raises(ConfigError, match="made of the families before it, and there are 1"):
        family_of("linear,ensemble", "binary")


def test_members_of_a_champion_are_tried_first_in_their_own_families():
    member = {"family": "linear", "params": {"penalty": 7.0}, "weight": 1.0}

    assert settings_of(Setting("ensemble", {"members": [member]}))[1:] == (Setting("linear", {"penalty": 7.0}),)
    assert settings_of(Setting("linear", {"penalty": 7.0})) == (Setting("linear", {"penalty": 7.0}),)


def test_weights_and_files_that_do_not_fit_are_refused():
    family, _, (setting,) = settled(MEMBERS, "binary")
    files = dict(packed(family, setting, "binary").files)
    spec = json.loads(files["scorer.json"])

    with pytest.raises(ArtifactRefused, match="weights must not be negative, and add up to 1"):
        Scorer.of(files | {"scorer.json": json.dumps(spec | {"weights": [0.9] * len(spec["weights"])}).encode()})
    with pytest.raises(ArtifactRefused, match=r"There is no 0\."):
        Scorer.of({name: raw for name, raw in files.items() if not name.startswith("0.")})


def test_a_candidate_may_be_an_ensemble_and_comes_out_the_same_twice():
    config = make_config(
        training={"families": ["lightgbm", "linear", "ensemble"], "trials": 2, "calibration": "sigmoid"}
    )
    one, two = (
        train_candidate(config, make_frame(600), champion=None, champion_scorer=None, seed=0, as_of=NOW)
        for _ in range(2)
    )

    assert one.files == two.files
    assert {entry.setting.family for entry in one.entries} == {"lightgbm", "linear", "ensemble"}
    assert one.parity <= 1e-9
