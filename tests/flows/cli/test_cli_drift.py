"""`understudy drift` on any two tables, as a newcomer calls it."""

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dice = np.random.default_rng(5)

    def table(shift):
        return pl.DataFrame(
            {
                "age": dice.normal(40 + shift, 5, 2000),
                "colour": dice.choice(["red", "green"], 2000),
                "plan": dice.integers(1, 4, 2000),
                "at": pl.Series(np.arange(2000)).cast(pl.Datetime("us")),
            }
        )

    table(0).write_parquet("may.parquet")
    table(0).write_csv("same.csv")
    table(3).write_delta("june")
    return tmp_path


def test_tables_that_do_not_differ_pass(understudy, tables):
    answer = understudy("drift", "--reference", "may.parquet", "--current", "same.csv", "--joint", "--json")

    assert answer.code == 0
    assert [one["name"] for one in answer.json["features"] if one["drifted"]] == []
    assert answer.json["joint"]["drifted"] is False


def test_a_column_that_moved_is_a_finding_and_its_picture_is_drawn(understudy, tables):
    answer = understudy("drift", "--reference", "may.parquet", "--current", "june@0", "--html", "june.html")

    assert answer.code == 1
    assert "1 of 3 features drifted: age" in answer.out
    assert "What changed from may.parquet to june@0?" in (tables / "june.html").read_text()


def test_times_are_no_features_and_numbers_may_be_names(understudy, tables):
    words = ("drift", "--reference", "may.parquet", "--current", "june", "--categorical", "plan", "--ignore", "age")
    found = understudy(*words, "--json").json["features"]

    assert {one["name"]: one["kind"] for one in found} == {"colour": "categorical", "plan": "categorical"}


def test_too_few_rows_are_no_clean_bill_unless_fewer_are_asked_for(understudy, tables):
    pl.read_parquet("may.parquet").head(300).write_parquet("few.parquet")
    words = ("drift", "--reference", "may.parquet", "--current", "few.parquet", "--json")

    assert understudy(*words).json["enough"] is False
    assert understudy(*words, "--min-rows", "200").json["enough"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "neither a model nor two tables"),
        (("--reference", "may.parquet"), "--current is missing"),
        (("--reference", "may.parquet", "--current", "same.csv", "--ignore", "agge"), "'agge'"),
        (("--reference", "may.parquet", "--current", "june@7"), "june@7"),
        (("--reference", "may.parquet", "--current", "july.parquet"), "There is no such file"),
        (("churn", "--ignore", "age"), "a model's configuration names its columns"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(understudy, tables, words, said):
    assert said in understudy("drift", *words).refused()


def test_plain_rules_are_there_and_say_what_they_are(understudy, tables):
    answer = understudy("drift", "--reference", "may.parquet", "--current", "same.csv", "--plain", "--json")

    assert answer.json["plain"] is True
    assert "chance" in answer.json["said"] or "nearly every" in answer.json["said"]
