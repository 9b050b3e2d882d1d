"""`understudy backtest` as a newcomer meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
import yaml

ROWS = 1500
MODEL = {
    "model": "turning",
    "task": "binary",
    "target": "y",
    "features": {"numeric": ["x", "z"]},
    "data": {"source": "rows.csv", "row_every": "1h"},
    "promotion": {"metric": "accuracy"},
}
QUICK = ("--batch", "100", "--warmup", "4", "--window", "1w", "--workers", "1")


@pytest.fixture(autouse=True)
def _files(_alone):
    rng = np.random.default_rng(4)
    x = rng.normal(size=ROWS)
    sign = np.where(np.arange(ROWS) < ROWS / 2, 1, -1)
    rows = pl.DataFrame({"x": x, "z": rng.normal(size=ROWS), "y": (sign * x > 0).astype(int)})
    rows.write_csv("rows.csv")
    Path("model.yaml").write_text(yaml.safe_dump(MODEL))


def backtest(understudy, *words):
    return understudy("backtest", "model.yaml", *QUICK, *words)


def test_with_a_table_given_the_variable_of_the_own_table_need_not_be_set(understudy):
    Path("model.yaml").write_text(yaml.safe_dump(MODEL | {"data": {"source": "${NOT_SET_AT_ALL}/a.csv"}}))

    assert "NOT_SET_AT_ALL" in backtest(understudy).refused()
    assert "There is no such file" in backtest(understudy, "--data", "gone.csv").refused()


def test_a_newcomer_sees_each_policy_beside_never_always_and_an_even_schedule(understudy):
    answer = backtest(understudy, "--policy", "error,every:3", "--html", "out.html")

    assert answer.code == 0
    for told in (
        "never",
        "always",
        "error",
        "every:3",
        "even schedule",
        "1100 rows in 11 batches",
        "Labels arrive after 1d",
    ):
        assert told in answer.out
    assert "The report is in out.html" in answer.err
    assert Path("out.html").read_text().startswith("<!doctype html>")


def test_programs_read_the_same_as_json(understudy):
    answer = backtest(understudy, "--policy", "every:3", "--json", "--price-retraining", "10")
    found = json.loads(answer.out)

    assert [one["name"] for one in found["policies"]] == ["never", "always", "every:3"]
    assert found["policies"][2]["cost"] == 10 * found["policies"][2]["retrainings"] == 30


def test_tune_tells_both_parts(understudy):
    answer = backtest(understudy, "--policy", "error", "--tune", "--trials", "3")

    assert answer.code == 0
    assert "3 numbers were tried on the first 5 batches" in answer.out
    assert "that the search never saw" in answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--policy", "evry:4,error:x"), "perhaps 'every' was meant"),
        (("--policy", "never", "--tune"), "No policy has a number"),
        (("--batch", "soon"), "'soon' is no batch"),
        (("--batch", "900"), "Choose --batch and --warmup"),
        (("--window", "long"), "'long' is no window"),
        (("--change", "3", "--change", "11"), "Changes after batch 11 are given"),
        (("--metric", "mae"), "not measured by 'mae'"),
        (("--data", "absent.csv"), "There is no such file"),
        (("--html", "nowhere/out.html"), "There is no folder nowhere"),
    ],
)
def test_mistakes_are_named_with_their_mend(understudy, words, said):
    refused = backtest(understudy, *words).refused()

    assert said in refused


def test_wrong_columns_and_a_constant_outcome_are_refused(understudy):
    pl.read_csv("rows.csv").with_columns(y=pl.lit(1)).write_csv("same.csv")
    pl.read_csv("rows.csv").drop("x", "z").write_csv("poor.csv")

    assert "all 1500 labels are 1" in backtest(understudy, "--data", "same.csv").refused()
    said = backtest(understudy, "--data", "poor.csv").refused()
    assert "feature 'x' is no column" in said
    assert "feature 'z' is no column" in said


def test_rows_without_a_label_are_left_out_and_counted(understudy):
    rows = pl.read_csv("rows.csv")
    rows.with_columns(y=pl.when(pl.int_range(pl.len()) % 10 > 0).then("y")).write_csv("holes.csv")
    answer = backtest(understudy, "--policy", "never", "--data", "holes.csv")

    assert "150 rows have no label and were left out." in answer.out


def test_an_interrupt_ends_it_at_once_with_130_and_leaves_no_process():
    words = ("backtest", "model.yaml", "--batch", "10", "--warmup", "12", "--workers", "2")
    run = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", *words], stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    _until(lambda: len(_group(run.pid)) >= 3)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, said = run.communicate(timeout=60)

    assert run.returncode == 130
    assert "Traceback" not in said
    _until(lambda: not _group(run.pid))
    assert _group(run.pid) == []


def _group(leader):
    return [process for process in psutil.process_iter() if _leader(process) == leader]


def _leader(process):
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


def _until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
