"""What a newcomer can give wrong, through `understudy train` as a process: a clear refusal, and nothing has changed."""

import json
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import yaml

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
ROWS = 600
TABLES = ("model_versions", "traffic_plans", "rollouts", "decisions")


def table(rows=ROWS):
    dice = np.random.default_rng(3)
    x = dice.normal(size=rows)
    at = (datetime.now(UTC) - timedelta(days=1)).timestamp() - 60.0 * np.arange(rows)[::-1]
    colour = dice.choice(["red", "blue"], rows)
    return pl.DataFrame({"x": x, "colour": colour, "at": at, "y": (x + dice.normal(size=rows) > 0).astype(int)})


def configuration(source, **data):
    return {
        "model": "churn",
        "task": "binary",
        "target": "y",
        "features": {"numeric": ["x"], "categorical": ["colour"]},
        "data": {"time": "at", "source": str(source), **data},
        "training": {"trials": 0, "families": ["linear"], "min_rows": 200, "window": None},
        "promotion": {"min_holdout": 50, "min_improvement": 0.0},
        "validation": {"latency_ms": 2000.0},
    }


@pytest.fixture(scope="module")
def folder(place, tmp_path_factory):
    """A champion in production, learned from a good table in a folder that grows."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "rows").mkdir()
    table().write_parquet(folder / "rows" / "first.parquet")
    (folder / "churn.yaml").write_text(yaml.safe_dump(configuration(folder / "rows")))
    assert place.run("init", str(folder / "churn.yaml"), seconds=60).returncode == 0
    done = place.run("train", "churn", seconds=180)
    assert done.returncode == 0, done.stderr
    return folder


def state(place):
    """What must not change: versions with their stages, plans, rollouts, verdicts."""
    with sqlite3.connect(f"file:{place.home}/registry.sqlite?mode=ro", uri=True) as database:
        found = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    artifacts = sorted(str(one) for one in (place.home / "bentoml").rglob("*") if one.is_file())
    return found, artifacts


def wrong(name, rows=ROWS):
    frame = table(rows)
    return {
        "missing target": frame.drop("y"),
        "one class only": frame.with_columns(y=pl.lit(1)),
        "too few rows": frame.head(120),
        "no feature": frame.drop("x"),
        "words in a number": frame.with_columns(x=pl.lit("abc")),
        "times that are none": frame.with_columns(at=pl.lit("soon")),
        "a label of no class": frame.with_columns(y=pl.int_range(pl.len()) % 5),
    }[name]


SAID = {
    "missing target": ("y",),
    "one class only": ("labels are 1",),
    "too few rows": ("120", "200"),
    "no feature": ("x",),
    "words in a number": ("x", "abc"),
    "times that are none": ("at",),
    "a label of no class": ("y", "0, 1, 2, 3, 4"),
}


def refused(done, codes=(1, 2, 3)):
    said = done.stderr
    assert done.returncode in codes, (done.returncode, said, done.stdout)
    assert "Traceback" not in said
    assert "unexpected" not in said
    assert "Why:" in said
    assert "Mend:" in said
    return said


def first_training(place, folder, name, source, **changes):
    """Ask for a first champion of another model."""
    document = configuration(source) | {"model": name} | changes
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    assert place.run("init", str(folder / f"{name}.yaml"), seconds=60).returncode == 0
    return place.run("train", name, seconds=120)


@pytest.mark.parametrize("name", SAID)
def test_a_first_training_on_a_wrong_table_says_what_is_wrong_with_it(place, folder, tmp_path, name):
    wrong(name).write_parquet(tmp_path / "wrong.parquet")
    before = state(place)

    said = refused(first_training(place, folder, f"m{list(SAID).index(name)}", tmp_path / "wrong.parquet"))

    assert all(word in said for word in SAID[name]), said
    assert state(place) == before


def test_a_corrupt_file_and_an_unreachable_database_are_told_apart(place, folder, tmp_path):
    whole = (folder / "rows" / "first.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    before = state(place)

    cut = refused(first_training(place, folder, "cut", tmp_path / "cut.parquet"), codes=(2,))
    data = {"time": "at", "source": "postgresql://nobody:nothing@127.0.0.1:1/none", "table": "rows"}
    away = refused(first_training(place, folder, "away", "-", data=data), codes=(3,))

    assert "cut.parquet" in cut
    assert "127.0.0.1" in away
    assert "nothing" not in away
    assert state(place) == before


@pytest.mark.parametrize("name", ["words in a number", "times that are none"])
def test_a_champion_stays_when_its_source_goes_wrong(place, folder, name):
    other = folder / "rows" / "second.parquet"
    before = state(place)
    wrong(name, 2000).write_parquet(other)
    try:
        said = refused(place.run("train", "churn", seconds=120))
    finally:
        other.unlink()

    assert said
    assert state(place) == before


def test_a_moment_in_the_future_is_refused_by_name(place, folder):
    before = state(place)

    said = refused(place.run("train", "churn", "--as-of", "2099-01-01", seconds=120), codes=(2,))

    assert "as_of: 2099-01-01" in said
    assert "in the future" in said
    assert state(place) == before


def test_unsorted_and_repeated_rows_make_the_model_of_the_sorted_ones(place, folder, tmp_path):
    frame = table()
    frame = frame.with_row_index("id")
    mess = pl.concat([frame, frame.head(50)]).sample(fraction=1.0, shuffle=True, seed=1)
    found = {}
    for name, rows in {"sorted": frame, "mess": mess}.items():
        rows.write_parquet(tmp_path / f"{name}.parquet")
        data = {"time": "at", "key": "id", "source": str(tmp_path / f"{name}.parquet")}
        done = first_training(place, folder, name, "-", data=data)
        assert done.returncode == 0, done.stderr
        found[name] = json.loads(place.run("models", "show", name, "v1.0.0", "--json", seconds=60).stdout)

    assert found["sorted"]["metrics"] == found["mess"]["metrics"]


def test_a_full_disk_while_the_artifact_is_written_changes_nothing(place, folder):
    """A file system with room for nothing lies where artifacts are kept."""
    before, models = state(place), place.home / "bentoml"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(models)], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        done = first_training(place, folder, "full", folder / "rows")
    finally:
        subprocess.run(["umount", str(models)], check=True)

    assert "No space left" in refused(done, codes=(3,))
    assert state(place) == before
