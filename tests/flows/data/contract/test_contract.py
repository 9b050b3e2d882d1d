import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from data_making import make_config
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.config.load import load_config
from flows.data import prepare, read_table
from flows.data.contract.check import BROKEN, check_contract
from flows.data.contract.learn import infer_contract
from flows.data.contract.records import Contract
from flows.data.contract.schema import FAR, ROOM, limits

CONFIG = make_config(features={"numeric": ["age", "heat"], "categorical": ["plan", "town"]})
ROWS = 1000


def healthy(rows=ROWS, seed=0):
    dice = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": dice.integers(18, 99, rows).astype(float),
            "heat": dice.normal(20.0, 3.0, rows),
            "plan": dice.choice(["basic", "gold"], rows),
            "town": [f"town {n % (n // 2 + 1)}" for n in range(rows)],
            "_time": np.arange(rows, dtype=float),
            "_key": [f"k{n}" for n in range(rows)],
            "_label": dice.integers(0, 2, rows).astype(float),
        }
    )


CONTRACT = infer_contract(CONFIG, healthy())


def broken(column, values, rows=ROWS):
    """Spread *values* over the first half of healthy rows."""
    frame = healthy(rows, seed=1)
    whole = frame[column].to_list()
    for number, value in enumerate(values):
        whole[number * (rows // 2) // len(values)] = value
    return frame.with_columns(pl.Series(column, whole, dtype=frame[column].dtype))


def findings(frame, contract=CONTRACT):
    return [
        (one.column, one.rule, one.rows, one.quarantined) for one in check_contract(contract, frame).report.findings
    ]


def test_a_contract_is_kept_by_the_rows_it_was_learned_from():
    checked = check_contract(CONTRACT, healthy())

    assert checked.report.findings == ()
    assert checked.kept.equals(healthy())
    assert checked.quarantined.is_empty()


def test_a_contract_survives_being_written_down():
    assert Contract.from_json(CONTRACT.to_json()) == CONTRACT


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("age", [None] * 3, "null"),
        ("plan", [None] * 3, "null"),
        ("age", [-1.0, -40.0], "negative"),
        ("age", [1e9], "far"),
        ("heat", [-999.0, 999.0], "far"),
        ("age", [400.0], "range"),
        ("plan", ["bsaic", "GOLD"], "level"),
        ("plan", ["N/A"] * 40, "level"),
        ("town", [" "] * 40, "level"),
    ],
)
def test_what_data_do_not_become_by_themselves_is_set_aside(column, values, rule):
    checked = check_contract(CONTRACT, broken(column, values))

    assert findings(broken(column, values)) == [(column, rule, len(values), True)]
    assert (checked.kept.height, checked.quarantined.height) == (ROWS - len(values), len(values))
    assert checked.quarantined[BROKEN].str.starts_with(f"{column} {rule}").all()


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [("plan", ["platinum"] * 50, "level"), ("heat", [-40.0] * 50, "range"), ("town", ["another"], "level")],
)
def test_what_is_new_and_frequent_or_to_be_expected_is_drift_and_kept(column, values, rule):
    checked = check_contract(CONTRACT, broken(column, values))

    assert findings(broken(column, values)) == [(column, rule, len(values), False)]
    assert checked.kept.height == ROWS


def test_a_level_that_is_rare_in_all_but_frequent_lately_is_drift():
    frame = healthy(5000, seed=2)
    plans = [*frame["plan"][:-20], *["platinum"] * 20]

    assert ("plan", "level", 20, False) in findings(frame.with_columns(pl.Series("plan", plans)))


def test_a_column_that_never_was_negative_but_never_came_close_to_zero_may_become_so():
    winter = healthy(seed=3).with_columns(pl.col("heat") - 25.0)

    assert check_contract(CONTRACT, winter).report.quarantined == 0


def test_what_was_always_empty_or_sometimes_empty_may_be_empty_again():
    frame = healthy().with_columns(
        pl.lit(None, pl.Float64).alias("age"), pl.when(pl.col("_time") > 0).then("plan").alias("plan")
    )
    contract = infer_contract(CONFIG, frame)

    assert check_contract(contract, frame).report.findings == ()
    assert check_contract(contract, broken("plan", [None] * 9)).report.findings == ()


def test_a_row_that_breaks_several_rules_is_set_aside_once():
    frame = broken("age", [None]).with_columns(
        pl.when(pl.col("_time") == 0).then(pl.lit("zinc")).otherwise("plan").alias("plan")
    )
    checked = check_contract(CONTRACT, frame)

    assert checked.report.quarantined == 1
    assert checked.quarantined[BROKEN].to_list() == ["age null: null; plan level: zinc"]


def test_values_that_are_no_numbers_are_set_aside_and_named():
    frame = broken("age", [None]).with_columns(
        pl.when(pl.col("_time") == 0).then(pl.lit("age\x1eforty")).alias("_untyped")
    )
    checked = check_contract(CONTRACT, frame)

    assert findings(frame) == [("age", "type", 1, True)]
    assert checked.quarantined[BROKEN].to_list() == ["age type: forty"]
    assert "_untyped" not in checked.kept.columns


def test_the_next_contract_knows_what_was_let_through_and_forgets_nothing():
    drifted = broken("plan", ["platinum"] * 50).tail(900)
    later = infer_contract(CONFIG, drifted, before=CONTRACT)

    assert check_contract(later, broken("plan", ["platinum"])).report.findings == ()
    assert check_contract(later, healthy()).report.findings == ()


def test_a_feature_that_is_no_longer_there_or_of_another_kind_is_not_checked():
    changed = make_config(features={"numeric": ["heat"], "categorical": ["age"]})
    frame = healthy().drop("plan", "town").with_columns(pl.col("age").cast(pl.String))

    assert check_contract(CONTRACT, frame).report.findings == ()
    assert {rule.column for rule in infer_contract(changed, frame, before=CONTRACT).levels} == {"age"}


def test_what_never_moved_may_be_anything():
    still = infer_contract(CONFIG, healthy().with_columns(pl.lit(0.003).alias("heat")))

    assert check_contract(still, healthy()).report.findings == ()


def test_a_column_of_names_has_no_levels_to_check():
    names = healthy(3000).with_columns(pl.col("_key").alias("plan"))

    assert infer_contract(CONFIG, names).levels[0].levels == ()
    assert check_contract(infer_contract(CONFIG, names), healthy()).report.findings == ()


def test_the_label_of_a_regression_is_checked_too():
    config = make_config("regression", features={"numeric": ["age"]})
    frame = healthy().select("age", "_time", "_key", pl.col("heat").alias("_label"))
    odd = frame.with_columns(pl.when(pl.col("_time") == 5).then(1e7).otherwise("_label").alias("_label"))

    assert findings(odd, infer_contract(config, frame)) == [("_label", "far", 1, True)]


NUMBERS = st.none() | st.floats(-1e12, 1e12)
TABLES = st.lists(st.tuples(NUMBERS, st.none() | st.sampled_from("abc")), min_size=1, max_size=40)


def table(rows):
    ages, plans = zip(*rows, strict=True)
    return pl.DataFrame(
        {"age": pl.Series(ages, dtype=pl.Float64), "plan": pl.Series(plans, dtype=pl.String)}
    ).with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias("_time"))


@settings(max_examples=40)
@given(learned=TABLES, met=TABLES)
def test_every_row_is_kept_or_set_aside_and_none_is_changed(learned, met):
    config = make_config()
    contract = infer_contract(config, table(learned))
    checked = check_contract(contract, table(met))

    together = pl.concat([checked.kept, checked.quarantined.drop(BROKEN)]).sort("_time")
    assert together.equals(table(met))
    assert checked.report.quarantined == checked.quarantined.height


@settings(max_examples=40)
@given(learned=TABLES, met=TABLES)
def test_a_contract_that_has_learned_rows_finds_nothing_in_them(learned, met):
    config = make_config()
    later = infer_contract(config, table(met), before=infer_contract(config, table(learned)))

    assert check_contract(later, table(met)).report.findings == ()
    assert check_contract(later, table(learned)).report.findings == ()


@settings(max_examples=40)
@given(rows=TABLES)
def test_what_is_far_is_out_of_range_too(rows):
    for rule in infer_contract(make_config(), table(rows)).numbers:
        near, far = limits(rule, ROOM), limits(rule, FAR)
        assert near is None or (far is not None and far[0] <= near[0] <= near[1] <= far[1])


@pytest.mark.skipif("UNDERSTUDY_DATA" not in os.environ, reason="UNDERSTUDY_DATA names no folder of real tables")
@pytest.mark.parametrize("name", ["bank", "bikes", "electricity"])
def test_hardly_a_row_of_real_tables_is_set_aside_as_they_drift(name):
    """From a tenth of the rows on, a retraining after every fiftieth of them."""
    config = load_config(Path(__file__).parents[4] / "examples" / f"{name}.yaml")
    frame = prepare(config, read_table(config.data.source))
    contract, worst = infer_contract(config, frame.head(frame.height // 10)), 0.0
    for part in range(6, 51, 4):
        checked = check_contract(contract, frame.head(frame.height * part // 50))
        worst = max(worst, checked.report.quarantined / checked.report.rows)
        contract = infer_contract(config, checked.kept, before=contract)

    assert worst < 0.002
