"""Tables that cannot be used, wherever one is given."""

from pathlib import Path

import pytest
from cli_making import CHURN, CSV, tree

TABLES = {
    "absent.csv": (None, "o such file"),
    "latin.csv": (b"age,plan,left\n1,caf\xe9,yes\n", "iconv"),
    "void.csv": (b"", "empty CSV"),
    "head.csv": (b"age,plan,left\n", "It has no rows"),
    "ragged.csv": (b"age,plan,left\n1,a,yes\n1,a,yes,2,3\n", "as many values as there are columns"),
    "named.csv": (b"aeg,plan,gone\n1,a,yes\n", "feature 'age' is no column"),
    "text.csv": (b"age,plan,left\nold,a,yes\nyoung,b,no\n", "'age' holds text, e.g. 'old', expected numbers"),
    "label.csv": (b"age,plan,left\n1,a,won\n2,b,lost\n", "target 'left' never is 'yes', it holds 'lost', 'won'"),
    "noise.parquet": (b"no parquet at all", "It is no valid parquet"),
    "table.txt": (b"age,plan,left\n1,a,yes\n", "'.txt' is unknown"),
    "folder.csv": ("folder", "It is a folder"),
}


@pytest.fixture
def registered(understudy):
    Path("churn.yaml").write_text(CHURN)
    Path("churn.csv").write_text(CSV)
    for name, (content, _) in TABLES.items():
        if content == "folder":
            Path(name).mkdir()
        elif content is not None:
            Path(name).write_bytes(content)
    understudy("init", "churn.yaml")
    understudy("models")  # makes the registry
    return understudy


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "words",
    [
        ("train", "churn", "--source"),
        ("drift", "churn", "--reference", "churn.csv", "--current"),
        ("replay", "churn.yaml", "--source"),
    ],
    ids=lambda words: words[0],
)
def test_a_table_that_cannot_be_used_is_refused_before_anything_starts(registered, words, table):
    before = tree()
    said = registered(*words, table).refused()

    assert TABLES[table][1] in said
    assert "starting" not in said
    assert tree() == before


def test_all_columns_that_are_absent_are_named_at_once(registered):
    said = registered("train", "churn", "--source", "named.csv").refused()

    assert "feature 'age' is no column" in said
    assert "target 'left' is no column" in said
    assert "the table has aeg, plan, gone" in said


def test_a_bare_yes_is_answered_with_what_yaml_made_of_it(registered):
    Path("bare.yaml").write_text(CHURN.replace('"yes"', "yes"))
    registered("init", "bare.yaml")

    assert 'write "yes"' in registered("train", "churn").refused()


def test_one_table_alone_cannot_be_compared(registered):
    assert (
        "--reference is missing beside the other table"
        in registered("drift", "churn", "--current", "churn.csv").refused()
    )


def test_too_few_rows_to_compare_are_no_clean_bill(registered):
    answer = registered("drift", "churn", "--reference", "churn.csv", "--current", "churn.csv", "--json")

    assert answer.code == 1
    assert (answer.json["enough"], answer.json["said"]) == (False, "not enough data: 600 rows, 1000 are needed")


def test_equal_tables_do_not_drift_and_others_do(registered):
    Path("long.csv").write_text(CSV + CSV.split("\n", 1)[1])
    Path("old.csv").write_text("age,plan,left\n" + "".join(f"{n % 60 + 50},b,no\n" for n in range(1200)) + "1,a,yes\n")
    tables = ("--reference", "long.csv", "--current")

    assert registered("drift", "churn", *tables, "long.csv").code == 0
    found = registered("drift", "churn", *tables, "old.csv", "--json")

    assert found.code == 1
    assert [one["name"] for one in found.json["features"] if one["drifted"]] == ["age", "plan"]


def test_training_without_a_server_keeps_no_table(registered):
    before = tree()
    said = registered("train", "churn").refused(3)

    assert "The Prefect server at http://127.0.0.1:" in said
    assert "understudy up" in said
    assert tree() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--batch", "5x"), "'5x' is no batch"),
        (("--name", "Bad Name"), "name 'Bad Name' is not"),
        (("--resume", "--restart"), "Both --resume and --restart"),
        (("--first", "0"), "The first 0 of 600 rows are too few"),
        (("--first", "1"), "No row is left to play"),
        (("--limit", "10"), "of 10 rows are too few"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_replay_that_cannot_be_played_starts_nothing(registered, words, said):
    before = tree()

    assert said in registered("replay", "churn.yaml", *words).refused()
    assert tree() == before


def test_a_replay_that_must_not_start_the_system_needs_one(registered):
    said = registered("replay", "churn.yaml", "--no-up", "--first", "0.5").refused(3)

    assert "understudy up" in said
    assert not any(name.startswith(("configs/churn-", "replays/", "tables/")) for name in tree())
