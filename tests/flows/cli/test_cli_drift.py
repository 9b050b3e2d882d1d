"""`understudy drift` on any two tables, as a newcomer calls it."""

import os

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


def drift(understudy, was, now, *words):
    return understudy("drift", "--reference", was, "--current", now, *words)


def test_times_and_lists_are_left_out_with_the_reason_and_are_no_drift(understudy, tables):
    frame = pl.read_parquet("may.parquet").with_columns(pl.lit([1]).alias("tags"))
    frame.with_columns(pl.col("at").dt.replace_time_zone("UTC")).write_parquet("utc.parquet")
    frame.with_columns(pl.col("at").dt.replace_time_zone("Europe/Berlin")).write_parquet("berlin.parquet")

    answer = drift(understudy, "utc.parquet", "berlin.parquet", "--json", "--html", "zones.html")

    assert answer.code == 0
    assert "UTC in the reference, Europe/Berlin in the window" in answer.json["left_out"]["at"]
    assert "columns of type List" in answer.json["left_out"]["tags"]
    assert "Column at was not compared: time zones differ" in (tables / "zones.html").read_text()


def test_a_name_is_never_a_pattern_nor_markup_nor_a_control_sequence(understudy, tables):
    odd, dice = ["^.*$", "[red]a[/red]", "[/]", "\x1b[31mb\nc", "x" * 200, ""], np.random.default_rng(1)
    moved = {"*": 1.0, **dict.fromkeys(odd[1:], 1.0)}
    for shift, file in ((0, "was.parquet"), (1, "now.parquet")):
        names = {"plain": 0.0, odd[0]: 0.0, **moved}
        pl.DataFrame({n: dice.normal(shift * by, 1, 2000) for n, by in names.items()}).write_parquet(file)

    answer = drift(understudy, "was.parquet", "now.parquet", "--html", "odd.html")
    found = drift(understudy, "was.parquet", "now.parquet", "--json").json["features"]

    assert {one["name"] for one in found if one["drifted"]} == set(moved)
    assert "\x1b" not in answer.out
    assert "x" * 100 not in answer.out
    assert "[red]a[/red]" in answer.out


def test_words_far_down_a_column_of_numbers_make_it_a_column_of_words(understudy, tables):
    lines = [f"{n % 9},{'oops' if n == 15_000 else n % 5}" for n in range(16_000)]
    (tables / "late.csv").write_text("a,b\n" + "\n".join(lines))

    found = drift(understudy, "late.csv", "late.csv", "--json").json["features"]

    assert {one["name"]: (one["kind"], one["enough"]) for one in found}["b"] == ("categorical", True)


def test_a_reference_of_few_rows_is_not_enough_data(understudy, tables):
    pl.read_parquet("may.parquet").head(50).write_parquet("few.parquet")

    answer = drift(understudy, "few.parquet", "may.parquet")

    assert answer.code == 1
    assert "50 rows in the reference, 1000 are needed" in answer.out


def test_a_report_never_takes_the_place_of_a_table(understudy, tables):
    before = (tables / "same.csv").read_bytes()

    said = drift(understudy, "may.parquet", "same.csv", "--html", "same.csv").refused()

    assert "is one of the tables" in said
    assert (tables / "same.csv").read_bytes() == before
    assert "no folder nowhere" in drift(understudy, "may.parquet", "same.csv", "--html", "nowhere/a.html").refused()


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("may.parquet", "semi.csv", "by commas; now they are by ';'"),
        ("may.parquet", "june/*.csv", "No file matches"),
        ("june@7", "may.parquet", "Give a version that the Delta table has"),
        ("may.parquet", "", "Its path is empty"),
        ("times.parquet", "times.parquet", "No column is left to compare"),
    ],
)
def test_a_table_that_cannot_be_used_says_how_to_mend_it(understudy, tables, was, now, said):
    (tables / "semi.csv").write_text("age;colour\n1;red\n")
    pl.read_parquet("may.parquet").select("at").write_parquet("times.parquet")

    assert said in " ".join(drift(understudy, was, now).refused().split())


def test_two_thousand_columns_of_text_are_read_once(understudy, tables):
    wide = pl.DataFrame(np.random.default_rng(2).integers(0, 99, (1000, 1500)))
    wide.write_csv("wide.csv")

    answer = drift(understudy, "wide.csv", "wide.csv")

    assert answer.code == 0
    assert "1,440 more columns" in answer.out


def test_a_report_takes_the_place_of_no_pipe(understudy, tables):
    os.mkfifo(tables / "pipe.html")

    assert "no plain file" in drift(understudy, "may.parquet", "same.csv", "--html", "pipe.html").refused()
    assert (tables / "pipe.html").is_fifo()


def test_what_was_not_measured_has_no_number_and_no_bar(understudy, tables):
    frame = pl.read_parquet("may.parquet")
    frame.with_columns(pl.lit("blue").alias("new"), pl.lit(None).alias("plan")).drop("age").write_parquet("now.parquet")

    answer = drift(understudy, "may.parquet", "now.parquet", "--html", "lost.html")
    page = (tables / "lost.html").read_text()

    assert answer.code == 1
    assert "the column is absent" in answer.out
    assert "no values at all" in answer.out
    assert "the reference has no such column" in answer.out
    assert "PSI of 1 feature;" in page
    assert "3 features without values to compare: see the table" in page


def test_plain_rules_are_there_and_say_what_they_are(understudy, tables):
    answer = understudy("drift", "--reference", "may.parquet", "--current", "same.csv", "--plain", "--json")

    assert answer.json["plain"] is True
    assert "chance" in answer.json["said"] or "nearly every" in answer.json["said"]


def test_a_reference_can_be_kept_without_its_rows(understudy, tables):
    words = ("drift", "--current", "june", "--json")
    rows = understudy(*words, "--reference", "may.parquet", "--save-profile", "may.json").json
    kept = understudy(*words, "--reference", "may.json")

    assert kept.code == 1
    assert [(one["name"], one["drifted"]) for one in kept.json["features"]] == [
        (one["name"], one["drifted"]) for one in rows["features"]
    ]
    assert (tables / "may.json").stat().st_size < 60_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reference", "may.json", "--joint"), "a profile has none"),
        (("--reference", "may.parquet", "--save-profile", "may.txt"), "makes a .json"),
        (("--reference", "may.parquet", "--save-profile", "may.parquet"), "is one of the tables"),
        (("--reference", "absent.json"), "absent.json"),
        (("--reference", "broken.json"), "It is none"),
    ],
)
def test_what_is_no_profile_is_refused(understudy, tables, words, said):
    (tables / "broken.json").write_text('{"rows": "many"}')

    assert said in understudy("drift", "--current", "same.csv", *words).refused()
