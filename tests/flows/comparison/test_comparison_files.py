"""Two files of predictions: columns found, rows matched, and every mistake told with column, count and mend."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.comparison.cases import judge_case
from flows.comparison.files import Wanted, is_file
from flows.comparison.groups import GroupCase
from flows.comparison.predictions import Ask, case_of_files, without_probabilities
from flows.comparison.rows import HoldoutCase
from flows.errors import DataError
from registry.records.policy import Guardrail

N = 400
RNG = np.random.default_rng(11)
SIGNAL = RNG.normal(size=N)
LABELS = (RNG.random(N) < 1 / (1 + np.exp(-SIGNAL))).astype(int)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def table(noise, **changes):
    rng = np.random.default_rng(int(noise * 100) + 1)
    columns = {
        "id": [f"k{i}" for i in range(N)],
        "label": LABELS,
        "score": sigmoid(SIGNAL + noise * rng.normal(size=N)),
        "country": np.where(np.arange(N) % 2, "de", "fr"),
        "revenue": rng.gamma(2.0, 10.0, N),
    }
    return pl.DataFrame(columns | changes)


@pytest.fixture
def write(tmp_path):
    def written(name, frame):
        path = tmp_path / name
        frame.write_csv(path) if name.endswith(".csv") else frame.write_parquet(path)
        return str(path)

    return written


@pytest.fixture
def asked(write):
    """The case of two tables."""

    def ask(ours, theirs, **more):
        return case_of_files(Ask(champion=write("a.parquet", ours), challenger=write("b.csv", theirs), **more))

    return ask


def said(ask, *args, **more):
    with pytest.raises(DataError) as caught:
        ask(*args, **more)
    return str(caught.value)


def test_rows_are_matched_by_key_whatever_their_order(asked):
    straight = judge_case(asked(table(2), table(0)).case)
    made = asked(table(2), table(0).sample(fraction=1.0, shuffle=True, seed=5))
    mixed = judge_case(made.case)

    assert isinstance(made.case, HoldoutCase)
    assert made.match.how == "the same rows, matched by id"
    assert mixed.findings == straight.findings
    assert mixed.outcome == "promote"


def test_without_a_key_the_same_order_and_labels_are_the_same_rows(asked):
    made = asked(table(2).drop("id"), table(0).drop("id"))

    assert made.match.how == "the same rows, in the same order"
    assert judge_case(made.case).outcome == "promote"


def test_keys_that_have_nothing_in_common_are_different_callers(asked):
    made = asked(table(2), table(0, id=[f"other{i}" for i in range(N)]), metric="revenue", share=0.5)
    found = judge_case(made.case)
    primary = next(f for f in found.findings if f.role == "primary")
    theirs = stats.ttest_ind(table(0)["revenue"], table(2)["revenue"], equal_var=False)

    assert isinstance(made.case, GroupCase)
    assert found.kind == "split"
    assert primary.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert any(f.name.startswith("sample ratio") and f.p_value is not None for f in found.findings)


def test_an_area_may_be_peeked_at(asked):
    theirs = table(0, id=[f"other{i}" for i in range(N)])
    found = judge_case(asked(table(2), theirs, policy={"method": "always_valid"}).case).findings[0]

    assert (found.metric, found.always_valid) == ("auc", True)
    assert "areas" in found.method


def test_different_callers_need_no_label_for_a_kpi(asked):
    ours, theirs = (pl.DataFrame({"spent": RNG.gamma(2, 10, n), "before": RNG.gamma(2, 10, n)}) for n in (300, 350))
    found = judge_case(asked(ours, theirs, metric="spent", pairing="unpaired", columns=Wanted(covariate="before")).case)

    assert found.findings[0].metric == "spent"
    assert "CUPED" in found.findings[0].method


def test_keys_in_part_of_both_files_name_column_count_and_mend(asked):
    theirs = table(0, id=[f"k{i}" for i in range(100, N + 100)])
    told = said(asked, table(2), theirs)

    assert "column id: 300 keys are in both files, 100 only in a.parquet and 100 only in b.csv" in told
    assert "--shared" in told
    assert "--unpaired" in told
    made = asked(
        table(2), table(0, id=[f"k{i}" for i in range(100, N + 100)], label=np.roll(LABELS, -100)), pairing="shared"
    )
    assert made.match.left_out == (100, 100)
    assert made.case.rows.n == 300
    assert "left out: 100 of a.parquet, 100 of b.csv" in made.case.identities["rows"]


def test_one_key_in_both_arms_of_a_split_is_refused(asked):
    theirs = table(0, id=["k7", *(f"other{i}" for i in range(1, N))])

    assert "column id: 1 keys are in both a.parquet and b.csv (k7)" in said(asked, table(2), theirs, pairing="unpaired")


def test_a_row_has_one_label(asked):
    other = LABELS.copy()
    other[:7] = 1 - other[:7]
    told = said(asked, table(2), table(0, label=other))

    assert "column label: 7 of 400 rows have another label in b.csv than in a.parquet, e.g. id k0" in told


def test_all_mistakes_of_both_files_are_told_at_once(asked):
    score = table(0)["score"].to_numpy().copy()
    score[:3] = np.nan
    labels = LABELS.astype(float)
    labels[:5] = 2
    told = said(
        asked,
        table(2, score=np.where(np.arange(N) == 9, np.inf, 0.5)),
        table(0, score=score, label=labels),
        kpis=("profit",),
        columns=Wanted(segments=("city",)),
    )

    assert "column score of a.parquet: 1 of 400 values is missing, NaN or infinite" in told
    assert "column score of b.csv: 3 of 400 values are missing, NaN or infinite" in told
    assert "column label of b.csv: 5 of 400 values are neither 0 nor 1" in told
    assert "a.parquet has no column 'profit' for --kpi (it has id, label, score, country, revenue)" in told
    assert "b.csv has no column 'city' for --segment" in told
    assert "column label: 5 of 400 rows have another label" in told or "neither 0 nor 1" in told


@pytest.mark.parametrize(
    ("ours", "theirs", "mistake"),
    [
        (lambda t: t.drop("label"), lambda t: t.drop("label"), "no column that looks like a label"),
        (lambda t: t.drop("score"), lambda t: t, "a.parquet has no column that looks like a score (it has id, label,"),
        (lambda t: t.drop("id"), lambda t: t, "b.csv has the key id, a.parquet has none"),
        (lambda t: t.drop("id"), lambda t: t.drop("id").head(90), "a.parquet has 400 rows, b.csv 90, and no key"),
        (lambda t: t, lambda t: pl.concat([t, t.head(3)]), "column id: 3 keys come more than once in b.csv"),
        (
            lambda t: t.with_columns(label=pl.lit("yes")),
            lambda t: t,
            "column label of a.parquet: 400 of 400 values are no number: 'yes' (say which one counts as 1 by",
        ),
        (
            lambda t: t.with_columns(id=pl.when(pl.int_range(pl.len()) > 3).then("id")),
            lambda t: t,
            "column id of a.parquet: 4 of 400 values are without a key",
        ),
        (
            lambda t: t.with_columns(
                time=pl.when(pl.int_range(pl.len()) > 0).then(pl.lit("soon")).otherwise(pl.lit("2026-01-01"))
            ),
            lambda t: t,
            "column time of a.parquet: 399 of 400 values are no time (write ISO 8601)",
        ),
        (
            lambda t: t.drop("id"),
            lambda t: t.drop("id").sample(fraction=1.0, shuffle=True, seed=1),
            "are they the same rows? name a --key, or --unpaired",
        ),
    ],
)
def test_what_is_wrong_is_named_with_a_mend(asked, ours, theirs, mistake):
    assert mistake in said(asked, ours(table(2)), theirs(table(0)))


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ({"metric": "rmse", "task": "binary"}, "metric rmse does not belong to binary labels"),
        ({"metric": "profit"}, "no column 'profit' for --metric (known without a column: auc, accuracy"),
        ({"goals": ("profit",)}, "no column 'profit' for --goal"),
        ({"guardrails": (Guardrail(metric="profit", margin=0.1),)}, "no column 'profit' for --guardrail"),
        ({"guardrails": (Guardrail(metric="brier", margin=-1),)}, "margin -1"),
        ({"policy": {"alpha": 2}}, "alpha 2 is not between 0 and 0.5"),
        ({"columns": Wanted(covariate="revenue")}, "--covariate takes variance out of KPIs of different callers"),
        ({"policy": {"method": "always_valid"}}, "--method always_valid is for different callers"),
        ({"share": 0.5}, "--share is the planned split of different callers"),
        ({"columns": Wanted(label="y")}, "a.parquet has no column 'y' for --label"),
    ],
)
def test_what_was_asked_wrongly_is_told(asked, more, mistake):
    assert mistake in said(asked, table(2), table(0), **more)


def test_columns_are_found_by_their_usual_names(asked):
    names = {"label": "y_true", "score": "Prediction", "id": "customer_id"}
    made = asked(table(2).rename(names), table(0).rename(names))

    assert judge_case(made.case).outcome == "promote"


def test_the_label_may_be_in_one_file_alone(asked):
    made = asked(table(2), table(0).drop("label"))

    assert judge_case(made.case).outcome == "promote"


def test_rows_of_one_key_are_matched_by_time_or_order_and_count_once(asked):
    keys = [f"k{i // 4}" for i in range(N)]
    ours, theirs = (table(noise, id=keys).with_columns(time=pl.int_range(pl.len()) * 1.0) for noise in (2, 0))
    by_time = asked(ours, theirs.sample(fraction=1.0, shuffle=True, seed=2))
    by_order = asked(ours.drop("time"), theirs.drop("time"))

    assert judge_case(by_time.case).findings[0] == judge_case(by_order.case).findings[0]
    assert by_time.case.rows.repeated


def test_regression_is_seen_by_its_labels(asked):
    y = RNG.normal(20, 5, N)
    ours, theirs = (table(noise, label=y, score=y + noise * RNG.normal(size=N)) for noise in (2, 1))
    found = judge_case(asked(ours, theirs).case)

    assert found.policy.metric == "rmse"
    assert found.outcome == "promote"


def test_scores_that_are_no_probabilities_are_ranked_only(asked):
    ours, theirs = (table(noise, score=SIGNAL + noise * np.random.default_rng(4).normal(size=N)) for noise in (2, 0))
    made = asked(ours, theirs)
    found = without_probabilities(judge_case(made.case))

    assert made.ranks_only
    assert found.outcome == "promote"
    assert {f.metric for f in found.findings if f.estimate is not None} == {"auc"}
    assert set(found.metrics["champion"]) == {"auc"}
    assert "has values outside 0 to 1, but brier needs probabilities" in said(asked, ours, theirs, metric="brier")


def test_the_same_files_give_the_same_bytes_and_other_ones_another_id(asked):
    first, second = (judge_case(asked(table(2), table(0)).case) for _ in range(2))
    third = judge_case(asked(table(2), table(0, revenue=1.0)).case)

    assert first.to_json() == second.to_json()
    assert third.id != first.id
    assert first.identities["policy"] == first.policy.digest()


def test_what_means_a_file_and_what_a_version(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("x")

    assert [is_file(name) for name in ("a.csv", "b.PARQUET", "plain", "v1.0.0", None)] == [
        True,
        True,
        True,
        False,
        False,
    ]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_files_turns_the_effect_around(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("swap")
    rng = np.random.default_rng(seed)
    paths = []
    for name in "ab":
        paths.append(str(folder / f"{name}.parquet"))
        table(1, score=rng.random(N)).write_parquet(paths[-1])
    there = judge_case(case_of_files(Ask(champion=paths[0], challenger=paths[1])).case).findings[0]
    back = judge_case(case_of_files(Ask(champion=paths[1], challenger=paths[0])).case).findings[0]

    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


def renamed(keys):
    return lambda t: t.with_columns(id=pl.Series([keys(i) for i in range(N)]))


@pytest.mark.parametrize("pairing", ["auto", "unpaired", "shared"])
@pytest.mark.parametrize("keys", ["{:05d}", " {}", "{}.0"])
def test_keys_that_are_only_written_differently_are_no_different_callers(asked, keys, pairing):
    told = said(
        lambda a, b: asked(a, b, pairing=pairing), renamed(keys.format)(table(2)), renamed("{}".format)(table(0))
    )

    assert "column id: 400 keys of b.csv are those of a.parquet, written differently, e.g. " in told


def test_whole_numbers_are_the_same_key_however_they_are_stored(asked):
    ours, theirs = renamed(float)(table(2)), renamed(int)(table(0))

    assert asked(ours, theirs).match.how == "the same rows, in the order of id"
    assert asked(renamed(str)(table(2)), theirs).match.paired


def test_labels_of_any_kind_count_as_1_where_they_are_the_positive_one(asked):
    plain = judge_case(asked(table(2), table(0)).case)
    for ones, zeros, positive in (("yes", "no", "yes"), (1, -1, "1"), (2.0, 1.0, "2"), (True, False, "true")):
        labels = pl.Series([ones if label else zeros for label in LABELS])
        ours, theirs = (t.with_columns(label=labels) for t in (table(2), table(0)))
        made = asked(ours, theirs, columns=Wanted(positive=positive))

        assert judge_case(made.case).findings == plain.findings

    told = said(lambda a, b: asked(a, b, columns=Wanted(positive="y")), table(2), table(0))
    assert "column label of a.parquet holds no 'y' for --positive (it has '0', '1')" in told


def test_text_that_is_no_number_is_counted_and_shown(asked):
    strange = table(2).with_columns(score=pl.Series(["n/a", "-", *map(str, table(2)["score"][2:])]))
    told = said(asked, strange, table(0))

    assert "column score of a.parquet: 2 of 400 values are no number: '-', 'n/a' (recode it)" in told
    numbers = table(2).with_columns(pl.col("score").cast(pl.String))
    assert judge_case(asked(numbers, table(0)).case).outcome == "promote"


def test_a_missing_label_is_not_also_another_label(asked):
    holed = table(0).with_columns(label=pl.when(pl.int_range(pl.len()) > 4).then("label"))

    assert "another label" not in said(asked, table(2), holed)


def test_both_unreadable_files_are_named_with_what_is_wrong_in_the_options(tmp_path, write):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1nothing")
    with pytest.raises(DataError) as caught:
        case_of_files(
            Ask(champion=str(tmp_path / "bad.parquet"), challenger=str(tmp_path / "gone.csv"), mistakes=("--x is odd",))
        )
    for told in ("--x is odd", "bad.parquet was not read", "gone.csv was not read: There is no such file"):
        assert told in str(caught.value)

    with pytest.raises(DataError) as caught:
        case_of_files(Ask(champion=str(tmp_path / "gone.csv"), challenger=write("b.csv", table(0).drop("score"))))
    assert "b.csv has no column that looks like a score" in str(caught.value)


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path, write):
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    with pytest.raises(DataError) as caught:
        case_of_files(
            Ask(
                champion=write("old/p.csv", table(2).drop("score")),
                challenger=write("new/p.csv", table(0).drop("score")),
            )
        )
    for folder in ("old", "new"):
        assert f"{tmp_path / folder / 'p.csv'} has no column that looks like a score" in str(caught.value)


def test_a_column_that_is_only_called_like_a_time_may_hold_none(asked):
    hours = [t.with_columns(date=pl.lit("Monday")) for t in (table(2), table(0))]
    assert asked(*hours).case.rows.times is None

    told = said(lambda a, b: asked(a, b, columns=Wanted(time="date")), *hours)
    assert "column date of a.parquet holds no times (write ISO 8601, or epoch seconds)" in told


def test_milliseconds_and_numbers_beyond_squaring_are_refused(asked):
    ours = table(2).with_columns(time=1.7e12, score=pl.lit(1e200))
    told = said(asked, ours, table(0))

    assert "column time of a.parquet: 400 of 400 values are no epoch seconds (divide milliseconds by 1,000)" in told
    assert "column score of a.parquet: 400 of 400 values are beyond 1e+150 (rescale)" in told


def test_one_column_has_one_role(asked):
    told = said(lambda a, b: asked(a, b, columns=Wanted(label="score")), table(2), table(0))

    assert "column score of a.parquet is taken as label and as score (name others by --label, --score)" in told


def test_what_is_measured_live_elsewhere_is_taken_from_files_that_have_it(asked):
    slow, fast = (table(n).with_columns(latency_ms=pl.lit(ms) + pl.col("revenue")) for n, ms in ((2, 9.0), (0, 5.0)))
    guards = (Guardrail(metric="latency_ms", margin=1.0, relative=False),)
    found = judge_case(asked(fast, slow, guardrails=guards).case)
    assert next(f for f in found.findings if f.name == "latency_ms").passed is False

    absent = judge_case(asked(table(2), slow, guardrails=guards).case)
    assert next(f for f in absent.findings if f.name == "latency_ms").estimate is None


@pytest.mark.parametrize(
    ("more", "unpaired", "mistake"),
    [
        ({"policy": {"looks": 5}}, True, "--looks belongs to --method group_sequential"),
        ({"policy": {"horizon": 900}}, False, "--horizon is the end of a plan"),
        ({"policy": {"horizon": 900, "method": "always_valid"}}, True, "--method always_valid has no end"),
        ({"policy": {"margin": 0.1}}, False, "--margin belongs to --rule non_inferiority"),
        ({"policy": {"direction": "lower"}}, False, "of auc higher is better, not lower"),
        ({"columns": Wanted(covariate="revenue")}, True, "no KPI is compared"),
        (
            {"columns": Wanted(covariate="revenue"), "kpis": ("revenue",), "policy": {"method": "always_valid"}},
            True,
            "--covariate is used at one look only, not by --method always_valid",
        ),
    ],
)
def test_no_option_is_silently_ignored(asked, more, unpaired, mistake):
    theirs = table(0).with_columns(id="x" + pl.col("id")) if unpaired else table(0)

    assert mistake in said(lambda a, b: asked(a, b, **more), table(2), theirs)


def test_a_covariate_needs_one_row_per_key(asked):
    ours, theirs = (
        t.with_columns(id=name + (pl.int_range(pl.len()) // 2).cast(pl.String))
        for t, name in ((table(2), pl.lit("a")), (table(0), pl.lit("b")))
    )
    more = {"columns": Wanted(covariate="score"), "metric": "revenue"}

    assert "--covariate needs one row per key" in said(lambda a, b: asked(a, b, **more), ours, theirs)


def test_whatever_changes_the_decision_changes_its_id(asked):
    first = asked(table(2), table(0)).case.decision_id
    others = [
        asked(table(2), table(0), columns=Wanted(segments=("country",))).case.decision_id,
        asked(table(2), table(0), task="regression").case.decision_id,
        asked(table(2), table(0), kpis=("revenue",)).case.decision_id,
    ]

    assert len({first, *others}) == 4
