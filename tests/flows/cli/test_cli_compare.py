"""`understudy compare` as people and programs meet it: files, versions on a table, and mistakes."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from cli_making import CHURN, NOON, WHO, a_version, tree

from flows.config.load import parse_config, register_config
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.plan import Guards
from registry.records.version import Feature
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec
from registry.store.registry import Registry

N = 600
FILES = ("compare", "--champion", "a.parquet", "--challenger", "b.csv")


@pytest.fixture(autouse=True)
def _files(_alone):
    rng = np.random.default_rng(2)
    signal = rng.normal(size=N)
    columns = {
        "id": np.arange(N),
        "label": (rng.random(N) < 1 / (1 + np.exp(-signal))).astype(int),
        "country": np.where(np.arange(N) % 2, "de", "fr"),
    }
    poor, good = (1 / (1 + np.exp(-signal - noise * rng.normal(size=N))) for noise in (2.5, 0.1))
    pl.DataFrame(columns | {"score": poor}).write_parquet("a.parquet")
    pl.DataFrame(columns | {"score": good}).write_csv("b.csv")


def test_two_files_give_a_verdict_and_leave_nothing_behind(understudy, tmp_path):
    before = tree(tmp_path)
    answer = understudy(*FILES, "--segment", "country", "--guardrail", "brier:0.02")

    assert answer.code == 0
    assert "Promote the challenger" in answer.out
    for told in ("primary: passed", "guardrail: passed", "country = de", "matched", "the same rows"):
        assert told in answer.out
    assert tree(tmp_path) == before


def test_the_worse_one_is_no_promotion_and_exits_1(understudy):
    answer = understudy("compare", "--champion", "b.csv", "--challenger", "a.parquet")

    assert answer.code == 1
    assert "Keep the champion" in answer.out
    assert "What would change it:" in answer.out


def test_programs_get_the_same_bytes_every_time(understudy):
    first, second = (understudy(*FILES, "--json") for _ in range(2))

    assert first.out == second.out
    assert first.json["outcome"] == "promote"
    assert first.json["created_at"] == "1970-01-01T00:00:00Z"
    assert understudy(*FILES, "--json", "--as-of", "2026-03-01").json["created_at"].startswith("2026-03-01T00:00:00")


def test_the_report_is_written_where_it_was_asked_for(understudy):
    understudy(*FILES, "--report", "out.html")
    page = Path("out.html").read_text()

    assert page.lower().startswith("<!doctype html>")
    assert not re.search(r"(src|href)=\"https?:", page)
    assert understudy(*FILES, "--report", "no/such/folder/out.html").refused(2)


@pytest.mark.parametrize(
    ("words", "mistakes"),
    [
        ((), ["Neither MODEL nor two files were given"]),
        (("--champion", "a.parquet"), ["--champion is a file, but --challenger is absent"]),
        (("--champion", "v1.0.0", "--challenger", "b.csv"), ["but --champion is 'v1.0.0', which is none"]),
        (("--champion", "gone.csv", "--challenger", "b.csv"), ["gone.csv was not read", "There is no such file"]),
        (("churn", "--label", "y", "--unpaired"), ["--label, --unpaired belong to files of predictions"]),
        (("churn", "--all-rows"), ["--all-rows belongs to --data"]),
        (
            (*FILES[1:], "--shared", "--unpaired", "--share", "2", "--guardrail", "brier", "--data", "x.csv"),
            ["--data and --all-rows belong", "give one of them", "--share 2 does", "--guardrail 'brier' is not"],
        ),
        ((*FILES[1:], "--guardrail", "brier:1:up"), ["then absolute or relative, higher or lower"]),
        ((*FILES[1:], "--method", "group_sequential"), ["method group_sequential needs a horizon"]),
        (
            (*FILES[1:], "--min-rows", "0", "--label", "left", "--alpha", "2"),
            ["--min-rows 0 is less than 2", "a.parquet has no column 'left'", "alpha 2.0 is not between"],
        ),
        ((*FILES[1:], "--guardrail", "brier:1:lower:higher"), ["then absolute or relative, higher or lower"]),
        ((*FILES[1:], "--label", "left"), ["a.parquet has no column 'left' for --label", "b.csv has no column"]),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_every_mistake_is_told_at_once(understudy, words, mistakes):
    told = understudy("compare", *words).refused()

    for mistake in mistakes:
        assert mistake in told


def test_people_read_which_columns_metric_and_test_were_chosen(understudy):
    out = understudy(*FILES).out

    assert "label label, score score, key id" in out
    assert "auc; better at alpha 0.05; a gain below 0.02 goes to people; DeLong; binary, by the labels" in out


def test_without_labels_no_task_is_claimed(understudy):
    for name, start in (("k1.csv", 0), ("k2.csv", 900)):
        pl.DataFrame({"id": np.arange(start, start + 300), "spent": np.arange(300.0)}).write_csv(name)
    found = understudy("compare", "--champion", "k1.csv", "--challenger", "k2.csv", "--metric", "spent", "--json")

    assert found.json["identities"]["task"] == "no labels, only KPIs"


def test_people_read_why_another_metric_decides(understudy):
    for name in ("a.parquet", "b.csv"):
        read = pl.read_parquet(name) if name == "a.parquet" else pl.read_csv(name)
        ones = read.with_columns(label=pl.lit(1))
        ones.write_parquet(name) if name == "a.parquet" else ones.write_csv(name)

    assert "brier, since auc is not defined where all labels are the same" in understudy(*FILES).out


def test_an_unbounded_interval_is_explained(understudy):
    for name in ("a.parquet", "b.csv"):
        read = pl.read_parquet(name) if name == "a.parquet" else pl.read_csv(name)
        marked = read.with_columns(id=pl.lit(name[0]) + pl.col("id").cast(pl.String), time=pl.int_range(pl.len()))
        marked.write_parquet(name) if name == "a.parquet" else marked.write_csv(name)
    answer = understudy(*FILES, "--horizon", "5000")

    assert answer.code == 1
    assert "the plan looks once, at 5000 rows; there are 1200" in answer.out


def test_swapped_files_get_the_mirrored_verdict(understudy):
    ours = understudy(*FILES, "--json").json
    theirs = understudy("compare", "--champion", "b.csv", "--challenger", "a.parquet", "--json").json

    assert (ours["outcome"], theirs["outcome"]) == ("promote", "reject")
    tested = [[f for f in found["findings"] if f["estimate"] is not None] for found in (ours, theirs)]
    for one, other in zip(*tested, strict=True):
        assert one["estimate"] == pytest.approx(-other["estimate"], abs=1e-12)
        assert one["low"] == pytest.approx(-other["high"], abs=1e-12)
        assert one["p_value"] == pytest.approx(other["p_value"], rel=1e-12)


@pytest.mark.parametrize(("path", "mistake"), [(".", "--report . is a folder"), ("no/r.html", "no does not exist")])
def test_a_report_that_cannot_be_written_is_refused_first(understudy, path, mistake):
    assert mistake in understudy(*FILES, "--report", path).refused(2)


def test_nothing_of_nought_is_ignored(understudy):
    assert (
        "--margin, --alpha belong to files" in understudy("compare", "churn", "--margin", "0", "--alpha", "0").refused()
    )


def test_files_start_neither_prefect_nor_router_nor_registry():
    code = (
        "import sys; from flows.cli.main import main; "
        f"main({list(FILES)!r}); "
        "print([m for m in ('prefect', 'bentoml', 'sqlalchemy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def linear(weight):
    columns = (
        NumericColumn(feature="age", fill=30.0, shift=30.0, scale=10.0),
        CategoryColumn(feature="plan", table={"a": (1.0,), "b": (-1.0,)}, unknown=(0.0,), missing=(0.0,)),
    )
    return ScorerSpec(task="binary", kind="linear", columns=columns, coefficients=(weight, 0.5))


@pytest.fixture
def shop(understudy):
    """A champion that has learned nothing, a challenger that knows, and newer rows."""
    where = Settings().prepare()
    settings = yaml.safe_load(CHURN)
    settings["data"] |= {"time": "at"}
    register_config(parse_config(settings, "test"), where)
    features = (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical", levels=("a", "b")))
    with Registry.open(where.registry_url) as registry:
        for version, weight in (("v1.0.0", 0.0), ("v1.1.0", 1.0)):
            digest = ArtifactStore(where.models_dir).save("churn", version, scorer_files(linear(weight), None))
            registry.register_version(a_version(version, artifact_digest=digest, features=features))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", **WHO)
    rng = np.random.default_rng(1)
    age, plan = rng.normal(30, 10, 800), rng.choice(["a", "b"], 800)
    chance = 1 / (1 + np.exp(-((age - 30) / 10 + np.where(plan == "a", 0.5, -0.5))))
    days = pl.datetime_range(
        NOON.replace(tzinfo=None), interval="1h", end=NOON.replace(tzinfo=None, year=2027), eager=True
    )
    pl.DataFrame(
        {"age": age, "plan": plan, "left": np.where(rng.random(800) < chance, "yes", "no"), "at": days[1:801]}
    ).write_csv("newest.csv")
    return understudy


def test_two_versions_are_compared_on_a_table_without_any_server(shop):
    words = ("compare", "churn", "--champion", "v1.0.0", "--challenger", "v1.1.0", "--data", "newest.csv", "--json")
    answer = shop(*words)

    assert answer.code == 0
    assert answer.json["outcome"] == "promote"
    assert answer.json["identities"]["champion"].startswith("v1.0.0 ")
    assert shop(*words).out == answer.out
    assert shop("compare", "churn", "--data", "newest.csv", "--json").out == answer.out


def test_rows_that_a_version_may_have_learned_from_are_left_out(shop):
    table = pl.read_csv("newest.csv", try_parse_dates=True)
    table.with_columns(at=pl.col("at") - pl.duration(days=400)).write_csv("old.csv")
    told = shop("compare", "churn", "--data", "old.csv").refused(1)

    assert "None of 800 rows has a label and is newer" in told
    assert shop("compare", "churn", "--data", "old.csv", "--all-rows").code == 0
