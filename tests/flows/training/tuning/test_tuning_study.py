"""One study in one process: what is tried first, what is cut off, when it ends."""

import pytest
from tuning_making import SEARCH, START, ToyRace, budget, lines

from flows.training.families.family import Setting
from flows.training.tuning.journal import finished, study_name, trials_of
from flows.training.tuning.study import KEPT, explored, known_settings, study

CHAMPION = {"rate": 0.02, "share": 0.8, "depth": 9, "kind": "b"}


def trials(**more):
    given = budget(**more)
    return explored(SEARCH, ToyRace(), given, known_settings(SEARCH, given))


def test_the_champions_parameters_are_trial_one_and_sound_ones_come_next():
    first, second, *_ = trials(known=(Setting("other", {}), Setting("toy", CHAMPION | {"rounds": 7, "window": "all"})))

    assert first.params == CHAMPION
    assert second.params == START


def test_a_champion_outside_of_the_bounds_is_moved_to_the_nearest_that_is_allowed():
    first, *_ = trials(known=(Setting("toy", CHAMPION | {"rate": 7.5, "depth": 12}),))

    assert (first.params["rate"], first.params["depth"]) == (1.0, 9)


def test_the_champions_parameters_are_judged_even_if_they_are_the_worst():
    found = study(SEARCH, ToyRace(), budget(40, pruning=False, known=(Setting("toy", CHAMPION),)))

    assert len(found) == KEPT + 1
    assert CHAMPION.items() <= found[-1].params.items()


def test_hopeless_trials_are_cut_off_and_only_if_that_is_wanted():
    cut, whole = trials(trials=50), trials(trials=50, pruning=False)

    assert sum(trial.loss is None for trial in cut) >= 20
    assert all(trial.loss is not None for trial in whole)


def test_a_search_beats_what_it_begins_with():
    found = study(SEARCH, ToyRace(), budget(50))

    assert ToyRace().run(found[0].params).loss < 0.5 * ToyRace().run(START).loss


def test_the_same_seed_tries_the_same_settings():
    assert [trial.params for trial in trials()] == [trial.params for trial in trials()]


def test_nothing_new_is_begun_after_the_time_is_over():
    now = iter(range(1000))

    assert 2 <= len(trials(trials=500, until=30.0, clock=lambda: float(next(now)))) <= 30


def test_without_time_or_trials_the_first_known_setting_is_taken_untried():
    champion = (Setting("toy", CHAMPION),)

    assert study(SEARCH, ToyRace(), budget(0, known=champion))[0].params == CHAMPION
    assert study(SEARCH, ToyRace(), budget(5, until=0.0, known=champion))[0].params == CHAMPION


def test_an_interrupted_study_repeats_no_trial_and_ends_as_if_it_had_not_been_interrupted(tmp_path):
    class Breaking(ToyRace):
        def run(self, params, watch=None):
            if len(lines(tmp_path) if list(tmp_path.iterdir()) else []) == 13:
                raise KeyboardInterrupt
            return super().run(params, watch)

    with pytest.raises(KeyboardInterrupt):
        study(SEARCH, Breaking(), budget(30, folder=tmp_path))
    before = lines(tmp_path)
    found = study(SEARCH, ToyRace(), budget(30, folder=tmp_path))

    assert (len(before), len(lines(tmp_path))) == (13, 30)
    assert lines(tmp_path)[:13] == before
    assert found == study(SEARCH, ToyRace(), budget(30))


def test_a_finished_study_is_not_run_again(tmp_path):
    found = study(SEARCH, ToyRace(), budget(folder=tmp_path))

    assert study(SEARCH, None, budget(folder=tmp_path)) == found


@pytest.mark.parametrize("other", [{"basis": "newer rows"}, {"pruning": False}, {"known": (Setting("toy", CHAMPION),)}])
def test_a_study_of_other_rows_another_way_or_another_champion_begins_anew(tmp_path, other):
    study(SEARCH, ToyRace(), budget(5, folder=tmp_path))
    study(SEARCH, ToyRace(), budget(5, folder=tmp_path, **other))

    assert len(list(tmp_path.glob("toy-*.jsonl"))) == 2


def test_a_line_that_a_kill_has_cut_off_is_run_again(tmp_path):
    given = budget(6, folder=tmp_path)
    found = study(SEARCH, ToyRace(), given)
    journal = trials_of(given.tuning, study_name(given.tuning, SEARCH, known_settings(SEARCH, given)))
    journal.path.write_bytes(journal.path.read_bytes()[:-20])

    assert sorted(finished(journal)) == [0, 1, 2, 3, 4]
    assert study(SEARCH, ToyRace(), given) == found
    assert sorted(finished(journal)) == [0, 1, 2, 3, 4, 5]
