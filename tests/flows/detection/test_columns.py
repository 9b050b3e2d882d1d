import warnings

import numpy as np
import polars as pl
import pytest
from drift_making import make_config
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import series
from scipy import stats

from flows.detection.columns import LEAST, Numbers, absent, categorical_drift, numeric_drift
from flows.detection.profile import category_profile, numeric_profile

LIMITS = make_config().detection
DICE = np.random.default_rng(11)
NORMAL = pl.Series("x", DICE.normal(size=2000))


def numeric(was, now):
    was, now = (one if isinstance(one, pl.Series) else pl.Series("x", one, strict=False) for one in (was, now))
    return numeric_drift("x", Numbers.stored(numeric_profile(was)), Numbers.of(now), LIMITS)


def categorical(was, now):
    was, now = (one if isinstance(one, pl.Series) else pl.Series("c", one, dtype=pl.String) for one in (was, now))
    return categorical_drift("c", category_profile(was), now)


@settings(max_examples=150, deadline=None)
@given(series(max_size=60), series(max_size=60))
def test_any_two_columns_get_an_answer_and_never_an_exception(was, now):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for found in (numeric(was, now), categorical(was, now)):
            assert found.n + round(found.missing_change) <= len(now) + 1
            assert found.enough == (min(found.n, found.reference_n) >= LEAST)
            assert 0 <= found.p_value <= 1
            assert 0 <= found.statistic <= 1 + 1e-9
            assert np.isfinite([found.psi, found.null_psi, found.outlier_share, found.missing_change]).all()


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [[1], [2]] * 40),
        pl.Series("x", [{"a": 1}] * 80),
        pl.Series("x", [b"1"] * 80),
        pl.Series("x", [object()] * 80, dtype=pl.Object),
        pl.Series("x", [None] * 80),
        pl.Series("x", ["nan"] * 80),
        pl.Series("x", ["red", "green"] * 40),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_column_without_a_number_has_none(column):
    found = numeric(NORMAL, column)

    assert (found.n, found.enough) == (0, False)
    assert found.missing_p < 1e-9
    assert "no values at all" in found.findings


def test_d_and_p_are_those_of_scipy():
    now = pl.Series("x", DICE.normal(0.1, 1, 900))
    whole = pl.Series("x", DICE.normal(size=900))
    theirs = stats.ks_2samp(whole.to_numpy(), now.to_numpy(), method="asymp")

    found = numeric(whole, now)

    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))


@pytest.mark.parametrize("kind", [numeric, categorical])
@pytest.mark.parametrize("rows", [0, 1, LEAST - 1])
def test_too_few_values_are_never_no_drift(kind, rows):
    found = kind(["1"] * 500, ["2"] * rows)

    assert not found.enough
    assert (found.p_value, found.statistic) == (1.0, 0.0)
    assert any("values" in finding for finding in found.findings)


def test_text_among_numbers_is_counted_and_said():
    found = numeric(NORMAL, [*["1.5"] * 100, *["n/a"] * 20])

    assert found.n == 100
    assert found.missing_change == pytest.approx(20 / 120)
    assert "20 values are no numbers" in found.findings


def test_infinite_values_are_counted_and_said_and_move_nothing_else():
    values = NORMAL.to_list()
    found = numeric(NORMAL, [*values, float("inf"), float("-inf"), float("nan")])

    assert "2 infinite values" in found.findings
    assert found.statistic < 0.002
    assert found.missing_change == pytest.approx(3 / 2003)


@pytest.mark.parametrize("side", ["reference", "window"])
def test_one_enormous_value_hides_no_drift(side):
    was, now = NORMAL.to_list(), (NORMAL + 0.5).to_list()
    (was if side == "reference" else now).append(1e308)
    found = numeric(was, now)

    assert found.statistic == pytest.approx(0.197, abs=0.02)
    assert found.psi > 0.2


def test_a_column_that_froze_is_called_constant():
    found = numeric(NORMAL, [0.25] * 500)

    assert found.statistic > 0.3
    assert "constant: 0.25" in found.findings


def test_a_column_that_always_was_constant_is_no_finding():
    found = numeric([0.1] * 1000, [0.1] * 1000)

    assert (found.statistic, found.psi, found.outlier_share, found.findings) == (0.0, 0.0, 0.0, ())


@pytest.mark.parametrize("rows", [1, LEAST - 1])
def test_too_few_values_are_called_neither_constant_nor_far_out(rows):
    for found in (numeric(NORMAL, [50.0] * rows), numeric([2.0] * rows, NORMAL)):
        assert found.findings[0].startswith("not enough values to compare")
        assert len(found.findings) == 1


def test_a_constant_that_became_another_one_is_said():
    found = numeric([2.0] * 1000, [3.0] * 100)

    assert found.findings == ("constant: 3", "it was constant: 2")
    assert found.p_value < 1e-9


def test_a_constant_that_began_to_move_is_said():
    found = numeric([2.0] * 1000, NORMAL)

    assert "it was constant: 2" in found.findings
    assert found.p_value < 1e-9


def test_values_beyond_three_sigma_are_said_where_there_are_too_many():
    found = numeric(NORMAL, [*NORMAL.to_list()[:900], *[50.0] * 100])

    assert found.outlier_share == pytest.approx(0.1, abs=0.01)
    assert any("beyond 3 standard deviations (in the reference 0." in finding for finding in found.findings)


def test_a_new_level_and_a_vanished_one_are_named():
    found = categorical(["a"] * 500 + ["b"] * 500, ["a"] * 400 + ["z"] * 100)

    assert "new level 'z' in 20.0% of the rows" in found.findings
    assert "level 'b' vanished (it had 50.0%)" in found.findings
    assert found.p_value < 1e-9


def test_a_level_that_chance_may_have_hidden_is_not_called_vanished():
    assert categorical(["a"] * 995 + ["b"] * 5, ["a"] * 300).findings == ()


def test_of_many_new_and_vanished_levels_five_are_named_and_the_others_counted():
    old = [f"old{i}" for i in range(8) for _ in range(50)]
    new = [f"new{i}" for i in range(9) for _ in range(50)]

    findings = categorical(old, new).findings

    assert "and 4 more new levels" in findings
    assert "and 3 more vanished levels" in findings
    assert len(findings) == 12


def test_an_empty_text_is_a_level_like_any_other():
    many = [f"l{i}" for i in range(1500)]
    found = categorical(["", "a"] * 500, ["", ""] * 500 + many)

    assert found.n == 2500
    assert "level 'a' vanished (it had 50.0%)" in found.findings
    assert not any("''" in finding for finding in found.findings)


def test_a_column_of_ids_is_no_drift():
    assert categorical([f"u{i}" for i in range(5000)], [f"v{i}" for i in range(1000)]).p_value > 0.05


@pytest.mark.parametrize(("was", "rose"), [([None] * 100 + ["a"] * 900, "fell"), (["a"] * 1000, "rose")])
def test_missing_values_have_a_test_of_their_own(was, rose):
    now = ["a"] * 1000 if rose == "fell" else [None] * 100 + ["a"] * 900
    found = categorical(was, now)

    assert found.p_value == 1.0
    assert found.missing_p < 1e-9
    assert f"missing values {rose} by 10.0% of the rows" in found.findings


def test_a_column_missing_on_both_sides_is_not_enough_and_no_loss():
    found = numeric(pl.Series("x", [None] * 100), pl.Series("x", [None] * 100))

    assert (found.enough, found.missing_p) == (False, 1.0)
    assert found.findings == ("no values, as in the reference",)


def test_an_absent_column_is_gone_unless_it_never_was_there():
    assert absent("x", numeric_profile(NORMAL)).gone
    assert absent("x", numeric_profile(NORMAL)).missing_change == 1.0
    assert not absent("c", category_profile(pl.Series("c", [None] * 9))).gone


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5), st.floats(-50, 50))
def test_the_unit_of_measurement_does_not_matter(seed, factor, offset):
    dice = np.random.default_rng(seed)
    was, now = dice.normal(size=300), dice.normal(0.2, 1, 200)
    ours, theirs = numeric(was, now), numeric(was * factor + offset, now * factor + offset)

    assert ours.statistic == pytest.approx(theirs.statistic, abs=0.011)
    assert ours.psi == pytest.approx(theirs.psi, rel=0.2, abs=0.02)


def test_a_profile_counts_for_all_the_rows_behind_it():
    dice = np.random.default_rng(4)
    long, now = (pl.Series("x", dice.normal(by, 1, size)) for by, size in ((0.0, 50_000), (0.1, 5000)))
    whole = Numbers.of(long)
    stored, exact = numeric(long, now), numeric_drift("x", whole, Numbers.of(now), LIMITS)

    assert stored.psi == pytest.approx(exact.psi, abs=0.001)
    assert stored.null_psi == pytest.approx(exact.null_psi)
    assert exact.p_value <= stored.p_value < 4 * exact.p_value < 1e-3


def test_levels_that_a_profile_had_no_room_for_are_neither_new_nor_drift():
    many = [f"l{i}" for i in range(3000)]
    found = categorical(many * 4, [*many, *["l2999"] * 9])

    assert found.p_value > 0.05
    assert found.findings == ()


def test_an_absent_column_loses_no_more_values_than_it_had():
    assert absent("x", numeric_profile(pl.Series("x", [1.0, None] * 50))).missing_change == 0.5


@pytest.mark.parametrize(("missing", "said"), [(4, False), (10, True)])
def test_half_a_percent_of_missing_values_is_worth_a_word(missing, said):
    found = numeric([*[0.0, 1.0] * 500], [*[0.0, 1.0] * 500][missing:] + [None] * missing)

    assert any("missing values rose" in finding for finding in found.findings) is said


@pytest.mark.parametrize(("far", "said"), [(30, False), (80, True)])
def test_outliers_are_said_beyond_the_configured_share(far, said):
    found = numeric(NORMAL, [*[0.0, 0.5] * ((1000 - far) // 2), *[50.0] * far])

    assert found.outlier_share == pytest.approx(far / 1000)
    assert any("beyond 3 standard deviations" in finding for finding in found.findings) is said
