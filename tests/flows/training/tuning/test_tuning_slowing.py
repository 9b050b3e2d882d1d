"""The winner of a study learns slower as well, and is served so only if that is better."""

import dataclasses
import itertools

import numpy as np
import pytest
from training_making import NOW, make_config, make_frame

from flows.training import contest as contest_room
from flows.training.bench import lay_bench
from flows.training.candidate import tune
from flows.training.contest import decide
from flows.training.families import boosting, lightgbm
from flows.training.families.family import Setting
from flows.training.families.make import families_of
from flows.training.progress import silent
from flows.training.tuning.slowing import LEAST_TRIALS, MOST_ROUNDS, Slowing, slowed

BOOSTERS = {"xgboost": boosting, "lightgbm": lightgbm}


def bench(family="xgboost", trials=LEAST_TRIALS, journal=None, rows=400):
    config = make_config(training={"trials": trials, "families": [family], "window": None})
    given = {"champion": None, "champion_scorer": None, "seed": 5, "as_of": NOW}
    return lay_bench(config, make_frame(rows), journal=journal, **given)


def rates(entries):
    return [entry.setting.params["learning_rate"] for entry in entries]


def slower_ones(entries):
    """Entries whose other parameters are those of a faster one."""

    def rest(entry):
        return {k: v for k, v in entry.setting.params.items() if k not in ("learning_rate", "n_estimators")}

    return [
        one
        for one in entries
        if any(rest(one) == rest(other) and rates([one]) < rates([other]) for other in entries if other is not one)
    ]


@pytest.mark.parametrize("family", BOOSTERS)
def test_the_winner_is_judged_a_second_time_with_a_third_of_its_rate(family):
    entries = tune(bench(family))
    (slow,) = slower_ones(entries)

    others = [one for one in entries if one is not slow]
    better = np.mean(slow.losses) < np.mean(others[0].losses[:2])
    assert [one.loss for one in others] == sorted(one.loss for one in others)
    assert (len(slow.losses), entries.index(slow)) == (2, 0 if better else len(others))
    assert any(rates([slow])[0] == max(rate / 3, 0.03) for rate in rates(entries))


def test_a_rate_stays_within_the_space_and_one_that_is_low_already_stays():
    space = boosting.SPACE

    assert slowed(boosting.START | {"learning_rate": 0.05}, space)["learning_rate"] == 0.03
    assert slowed(boosting.START | {"learning_rate": 0.03}, space) is None
    assert space.within(slowed(boosting.START, space)) == slowed(boosting.START, space)


@pytest.mark.parametrize("trials", [0, LEAST_TRIALS - 1])
def test_nothing_learns_slower_after_few_trials_or_none(trials):
    assert slower_ones(tune(bench(trials=trials))) == []


def test_nothing_learns_slower_when_little_time_is_left():
    contest, now = bench().contest, itertools.count()

    def hurry(_share, doing):
        nonlocal now
        now = itertools.count(990) if doing.startswith("Judge 4 settings") else now

    budget = dataclasses.replace(contest.budget, clock=lambda: float(next(now)), until=1000.0)
    entries = decide(dataclasses.replace(contest, budget=budget), hurry)

    assert next(now) < 1000
    assert (len(entries), slower_ones(entries)) == (4, [])


def test_a_killed_search_finds_the_rounds_of_the_slower_one_only_once(tmp_path, monkeypatch):
    first = tune(bench(journal=tmp_path))
    monkeypatch.setattr(boosting.Boosting, "slower", None)

    assert tune(bench(journal=tmp_path)) == first
    assert len(slower_ones(first)) == 1


@pytest.mark.parametrize("family", BOOSTERS)
def test_a_champion_that_learns_slowly_is_judged_with_more_rounds_than_a_trial_has(family, monkeypatch):
    module = BOOSTERS[family]
    given = bench(family, trials=1, rows=1500)
    monkeypatch.setattr(module, "ROUNDS", 40)
    slow = module.START | {"learning_rate": 0.03, "subsample": 0.5}
    known = (Setting(family, slow | {"n_estimators": 1200, "window": "all"}),)
    contest = dataclasses.replace(given.contest, budget=dataclasses.replace(given.contest.budget, known=known))
    (entry,) = decide(contest, silent)

    assert slow.items() <= entry.setting.params.items()
    assert 40 < entry.setting.params["n_estimators"] <= MOST_ROUNDS


def test_only_boosted_families_learn_slower():
    config = make_config(training={"families": ["xgboost", "lightgbm", "linear", "forest", "mlp", "ensemble"]})

    assert [one.name for one in families_of(config, "rmse", 0) if isinstance(one, Slowing)] == list(BOOSTERS)


def test_trials_learn_from_the_newest_rows_and_the_winner_finds_its_rounds_on_all(monkeypatch):
    seen, study = [], boosting.study

    def noted(search, race, budget):
        seen.append(len(race.past))
        return study(search, race, budget)

    monkeypatch.setattr(boosting, "study", noted)
    whole = tune(bench(trials=3, rows=2000))
    monkeypatch.setattr(contest_room, "SEARCHED", 300)
    cut = tune(bench(trials=3, rows=2000))

    assert (seen[0] > 1000, seen[1]) == (True, 300)
    assert [len(entry.losses) for entry in whole] == [4] * len(whole)
    assert sorted(len(entry.losses) for entry in cut)[0] == 2
    again = next(entry for entry in cut if len(entry.losses) == 2)
    better = again.loss < np.mean(next(entry for entry in cut if len(entry.losses) == 4).losses[:2])
    assert (cut[0] is again) == better
