import polars as pl
import pytest
from judging_making import levels, make_config, numbers

from flows.detection.drift import drift_between
from flows.detection.judging.findings import findings

LIMITS = make_config().detection
RANGE = {"reference_low": 0.0, "reference_high": 1.0, "low": 0.0, "high": 1.0}


def said(column, change=0.0):
    return findings(column, change, LIMITS)


def test_a_calm_column_has_nothing_to_tell():
    assert said(numbers(**RANGE)) == ()
    assert said(levels()) == ()


def test_a_column_that_froze_and_one_that_began_to_move_are_said():
    assert said(numbers(**RANGE | {"low": 0.25, "high": 0.25})) == ("constant: 0.25",)
    assert said(numbers(**RANGE | {"reference_low": 0.5, "reference_high": 0.5})) == ("it was constant: 0.5",)


def test_a_constant_that_became_another_is_both():
    found = numbers(low=3.0, high=3.0, reference_low=2.0, reference_high=2.0, outside=1.0)

    assert said(found)[:2] == ("constant: 3", "it was constant: 2")


def test_a_column_that_always_was_constant_is_no_finding():
    assert said(numbers(low=2.0, high=2.0, reference_low=2.0, reference_high=2.0)) == ()


@pytest.mark.parametrize(("outside", "told"), [(0.001, False), (0.02, True)])
def test_a_range_is_violated_by_more_than_chance_would_put_outside(outside, told):
    found = said(numbers(**RANGE | {"high": 7.0, "outside": outside}))

    assert any("outside of the reference's range (0 to 1): 0 to 7" in finding for finding in found) is told


@pytest.mark.parametrize(("share", "told"), [(0.05, False), (0.08, True)])
def test_outliers_are_said_beyond_the_configured_share(share, told):
    found = said(numbers(**RANGE, outliers=share, reference_outliers=0.003))

    assert found == (("8.0% lie beyond 3 standard deviations (in the reference 0.3%)",) if told else ())


def test_infinite_values_and_text_among_numbers_are_counted():
    assert said(numbers(infinite=3, foreign=7)) == ("3 infinite values", "7 values are no numbers")


@pytest.mark.parametrize(("change", "word"), [(0.3, "rose by 30.0%"), (-0.3, "fell by 30.0%"), (0.004, None)])
def test_half_a_percent_of_missing_values_is_worth_a_word(change, word):
    assert said(numbers(), change) == ((f"missing values {word} of the rows",) if word else ())


def test_too_few_values_are_called_neither_constant_nor_far_out():
    found = said(numbers(n=29, low=5.0, high=5.0, outliers=1.0, outside=1.0, reference_low=0.0, reference_high=1.0))

    assert found == ("not enough values to compare: 29, and 5000 in the reference",)


def test_a_column_without_values_says_on_which_side():
    assert said(numbers(n=0, missing=1000), 1.0)[0] == "no values at all"
    assert said(numbers(reference_n=0, reference_missing=5000), -1.0)[0] == "the reference has no values"
    assert said(numbers(n=0, missing=9, reference_n=0, reference_missing=9)) == ("no values, as in the reference",)


def test_new_and_vanished_levels_are_named_with_their_shares():
    found = said(levels(new_levels=(("z", 0.05),), vanished_levels=(("b", 0.5),)))

    assert found == ("new level 'z' in 5.0% of the rows", "level 'b' vanished (it had 50.0%)")


def test_a_level_that_chance_may_have_hidden_is_not_called_vanished():
    assert said(levels(vanished_levels=(("b", 0.0006),), new_levels=(("z", 0.001),))) == ()


def test_of_many_new_levels_five_are_named_and_the_others_counted():
    found = said(levels(new_levels=tuple((f"z{i}", 0.05) for i in range(9))))

    assert len(found) == 6
    assert found[-1] == "and 4 more new levels"


def test_a_note_on_how_it_was_measured_comes_first():
    assert said(numbers(note="time zones differ"))[0] == "time zones differ"


def test_a_column_of_one_level_that_had_more_is_constant():
    was, now = (pl.DataFrame({"c": values}) for values in (["a", "b"] * 800, ["a"] * 1200))
    (found,) = drift_between(was, now, make_config((), ("c",))).features

    assert found.drifted
    assert found.findings == ("constant: a single level", "level 'b' vanished (it had 50.0%)")
