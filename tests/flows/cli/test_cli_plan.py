"""Planning an experiment from the command line: no server, no home folder, every mistake at once."""

import math
import os
import re
import subprocess
import sys

import pytest
from cli_making import tree
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

ACCURACY = ("plan", "--metric", "accuracy", "--baseline", "0.85")
WHOLE = (*ACCURACY, "--lift", "0.02", "--discordance", "0.06", "--per-day", "2000", "--labelled", "0.6")
QUICK = (*ACCURACY, "--lift", "0.1", "--discordance", "0.15", "--per-day", "2000", "--labelled", "0.6")  # few labels


def test_every_design_is_sized_and_pairing_pays(understudy):
    found = understudy(*WHOLE, "--json").json
    sizes = {one["design"]: one for one in found["designs"]}

    assert list(sizes) == [
        "holdout, paired",
        "shadow, always-valid",
        "A/B, one look",
        "A/B, group sequential",
        "A/B, always-valid",
    ]
    assert 7 * sizes["shadow, always-valid"]["expected"] < sizes["A/B, always-valid"]["expected"]
    assert sizes["A/B, group sequential"]["expected"] < sizes["A/B, one look"]["labels"]
    theirs = math.ceil(samplesize_proportions_2indep_onetail(0.017, 0.85, 0.8))
    assert sizes["A/B, one look"]["champion"] == theirs
    assert sizes["A/B, one look"]["days"] == pytest.approx(2 * theirs / 0.6 / 2000, abs=0.06)
    assert all(0.79 < chances[3] < 0.81 for chances in found["power_curve"].values())


def test_people_read_sizes_days_chances_and_advice(understudy):
    answer = understudy(*WHOLE, "--guardrails", "3", "--looks", "5")

    assert answer.code == 0
    for said in ("0.85 -> 0.867", "0.8, so 0.95 for each of 4 metrics", "shadow, always-valid", "days", "+2.00%"):
        assert said in answer.out
    assert "Start in shadow: about " in answer.out
    assert "sample ratio test" in answer.out


def test_the_same_question_gets_the_same_bytes(understudy):
    assert understudy(*QUICK, "--json").out == understudy(*QUICK, "--json").out


def test_what_was_guessed_is_said(understudy):
    assert "half of what independent errors give" in understudy(*ACCURACY, "--lift", "0.1").out
    assert understudy(*QUICK, "--json").json["assumed"] == {}
    assert "--correlation" in understudy("plan", "--metric", "auc", "--baseline", "0.8", "--lift", "0.02").out


def test_a_kpi_of_callers_needs_a_split(understudy):
    words = ("plan", "--metric", "revenue", "--baseline", "20", "--lift", "0.05", "--sd", "60", "--json")
    found = understudy(*words).json

    assert [one["design"] for one in found["designs"]] == [
        "A/B, one look",
        "A/B, group sequential",
        "A/B, always-valid",
    ]
    # R: power.t.test(delta = 1, sd = 60, power = 0.8)
    assert found["designs"][0]["champion"] == 56513


@pytest.mark.parametrize(
    ("known", "factor"), [(("--covariate", "0.6"), 0.64), (("--per-key", "10", "--icc", "0.05"), 1.45)]
)
def test_what_is_known_of_callers_changes_how_many_are_needed(understudy, known, factor):
    words = ("plan", "--metric", "revenue", "--baseline", "20", "--lift", "0.2", "--sd", "60", "--json")
    found = understudy(*words, *known).json

    # R: power.t.test(delta = 4, sd = 60, power = 0.8)
    assert found["designs"][0]["champion"] == pytest.approx(factor * 3532.95, rel=1e-3)


def test_where_less_is_better_an_improvement_lowers_the_number(understudy):
    answer = understudy("plan", "--metric", "error_rate", "--baseline", "0.2", "--lift", "0.5")

    assert "0.2 -> 0.1" in answer.out


def test_a_margin_asks_whether_it_is_not_worse(understudy):
    answer = understudy("plan", "--metric", "accuracy", "--baseline", "0.85", "--margin", "0.10", "--absolute")

    assert "not worse?" in answer.out
    assert "0.75" in answer.out
    # R: TrialSize::TwoSampleProportion.NIS(0.025, 0.2, 0.85, 0.85, 1, 0, -0.10) = 200.15
    assert "201" in answer.out


def test_a_budget_is_answered_with_the_smallest_lift(understudy):
    found = understudy(*ACCURACY, "--budget", "5000", "--discordance", "0.06", "--json").json
    seen = {one["design"]: one["value"] for one in found["detectable"]}

    assert found["designs"] == []
    assert 0.85 < seen["holdout, paired"] < seen["shadow, always-valid"] < seen["A/B, one look"]
    lift = str(seen["holdout, paired"] - 0.85)
    back = understudy(*ACCURACY, "--lift", lift, "--absolute", "--discordance", "0.06", "--json").json
    assert back["designs"][0]["labels"] == pytest.approx(5000, abs=2)


@pytest.mark.parametrize(
    ("words", "mistakes"),
    [
        (("plan", "--metric", "accuracy"), ["--baseline is missing"]),
        (
            ("--lift", "-0.1", "--share", "2", "--labelled", "0", "--looks", "200", "--guardrails", "-1"),
            ["--share 2 does", "--labelled 0 is no", "--looks 200 does", "--guardrails -1", "--lift -0.1 is no improv"],
        ),
        ((), ["neither --lift, --margin nor --budget"]),
        (("--lift", "0.5"), ["--lift 0.5 leads accuracy beyond its best (from 0.85 at most 0.1765)"]),
        (("--lift", "0.05", "--discordance", "0.01"), ["--discordance 0.01 does not lie between the gain 0.0425"]),
        (("--lift", "0.05", "--budget", "9"), ["--lift and --budget were both given"]),
        (("--lift", "0.00000001"), ["the effect is too small"]),
        (("--power", "nan", "--lift", "0.01"), ["--power nan"]),
        (
            ("--power", "0.9999999", "--lift", "0.01"),
            ["One of the designs never reaches power 0.9999999", "less --power"],
        ),
        (("--guardrails", "1000", "--lift", "0.01"), ["never reaches power 0.9998"]),
        (
            ("--lift", "0.01", "--sd", "1", "--correlation", "0.3"),
            ["--sd plays no part", "--correlation plays no part"],
        ),
        (("--budget", "99999999999"), ["--budget 1e+11 does not lie between 1 and 1e+09"]),
        (
            ("plan", "--metric", "rmse", "--baseline", "3", "--lift", "2", "--sd", "2", "--discordance", "0.1"),
            ["--lift 2 leads rmse below 0 (from 3 at most 1)", "--discordance plays no part for rmse"],
        ),
        (("plan", "--metric", "rmse", "--baseline", "-3", "--lift", "0.1", "--sd", "2"), ["-3 of rmse is below 0"]),
        (("plan", "--metric", "r2", "--baseline", "0.5", "--lift", "0.1"), ["r2 is no mean over rows", "plan by rmse"]),
        (
            ("plan", "--metric", "auc", "--baseline", "0.8", "--lift", "0.02", "--covariate", "0.5"),
            ["--covariate plays no part for auc"],
        ),
    ],
    ids=lambda value: " ".join(value),
)
def test_every_mistake_is_told_at_once(understudy, words, mistakes):
    said = understudy(*(words if words[:1] == ("plan",) else (*ACCURACY, *words))).refused()

    for mistake in mistakes:
        assert mistake in said


def test_a_mean_without_spread_is_refused(understudy):
    said = understudy("plan", "--metric", "brier", "--baseline", "0.2", "--lift", "0.05").refused()

    assert "--sd, the standard deviation of one row, is missing" in said


def test_it_leaves_nothing_behind(understudy, tmp_path):
    before = tree(tmp_path)
    understudy(*QUICK)

    assert tree(tmp_path) == before


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(columns):
    words = [
        sys.executable,
        "-c",
        "import sys; sys.stdout.isatty = lambda: True; from flows.cli.main import main; main()",
    ]
    done = subprocess.run(
        [*words, *QUICK], capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": str(columns)}
    )

    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert "A/B, group sequential" in plain
    assert max(len(line) for line in plain.splitlines() if line.startswith(("┏", "│", "└"))) <= columns


def test_it_starts_neither_prefect_nor_router_nor_registry():
    code = (
        "import sys; from flows.cli.main import main; "
        f"main({list(QUICK)!r}); "
        "print([m for m in ('prefect', 'bentoml', 'sqlalchemy', 'polars', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("labels", ["1", pytest.param("1000000000", marks=pytest.mark.long)])
def test_the_smallest_and_the_largest_budget_are_answered(understudy, labels):
    assert understudy(*ACCURACY, "--budget", labels).code == 0


def test_the_title_stays_on_one_line(understudy):
    words = ("plan", "--metric", "conversion", "--baseline", "0.3", "--lift", "0.5")

    assert understudy(*words).out.splitlines()[0] == "Is the challenger's conversion better?"
