"""A model of four classes through the whole loop, with real processes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
import yaml
from e2e_commands import Place

from flows.client import RouterClient
from registry.home import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
CLASSES = ("ant", "bee", "cat", "dog")
MODEL = "animals"


def animals(rows: int, *, end: datetime, turned: float = 2.0, seed: int = 1) -> pl.DataFrame:
    """Four classes on a circle; from the share *turned* of the rows on, the circle is turned by a quarter."""
    rng = np.random.default_rng(seed)
    truth, later = rng.integers(0, 4, rows), np.arange(rows) >= turned * rows
    angle = (truth + later) * np.pi / 2
    points = 1.6 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(size=(rows, 2))
    return pl.DataFrame(
        {
            "at": [end - timedelta(minutes=3) * (rows - i) for i in range(rows)],
            "who": [f"k{i}" for i in range(rows)],
            "width": points[:, 0],
            "height": points[:, 1],
            "fur": rng.choice(["long", "short"], rows),
            "animal": [CLASSES[i] for i in truth],
        }
    )


def written(folder: Path, **sections: dict) -> Path:
    raw = {
        "model": MODEL,
        "task": "multiclass",
        "target": "animal",
        "features": {"numeric": ["width", "height"], "categorical": ["fur"]},
        "data": {"time": "at", "key": "who", "classes": list(CLASSES), "label_delay": "3h"},
        "training": {"window": "1d", "min_rows": 300, "trials": 3, "time_budget": "15s", "families": ["xgboost"]},
        "detection": {
            "window": 480,
            "min_rows": 300,
            "min_labelled": 200,
            "error_window": 200,
            "cooldown": "1d",
            "rules": [
                {"name": "error rises", "trigger": "drift", "condition": "error_increase > 0.15 and error_p < 0.01"}
            ],
        },
        "promotion": {
            "metric": "accuracy",
            "rule": "non_inferiority",
            "margin": 0.5,
            "min_holdout": 50,
            "min_labelled": 20,
            "require_approval": False,
            "guardrails": [],
        },
        "validation": {"latency_ms": 2000},  # it is classes that are tried here, not the machine
        "rollout": {
            "steps": [
                {"share": 0.5, "min": "6h", "max": "12h", "min_labelled": 20, "on_timeout": "advance"},
                {"share": 1, "min": "6h", "max": "12h", "min_labelled": 5, "on_timeout": "advance"},
            ]
        },
    }
    for name, section in sections.items():
        raw[name] = raw[name] | section
    path = folder / "animals.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture
def place(tmp_path):
    place = Place.under(tmp_path)
    yield place
    place.run("down", seconds=120)
    assert place.processes() == []


def test_a_replay_of_four_classes_ends_with_exact_books(place, tmp_path):
    table = tmp_path / "animals.parquet"
    animals(3000, end=datetime(2026, 3, 1, tzinfo=UTC), turned=0.5).write_parquet(table)
    options = ("--source", str(table), "--first", "0.2", "--batch", "12h", "--json")

    watching = {"share": 0, "min": "3h", "max": "6h", "min_labelled": 20, "on_timeout": "advance"}
    answering = {"share": 1, "min": "3h", "max": "6h", "min_labelled": 5, "on_timeout": "advance"}
    config = written(tmp_path, rollout={"steps": [watching, answering]})

    done = place.run("replay", str(config), *options, seconds=800)

    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert [line for line in shown["books"] if line["expected"] != pytest.approx(line["found"], rel=1e-9)] == []
    assert shown["metric"] == "accuracy"
    [rollout] = shown["rollouts"]
    assert (rollout["status"], rollout["watched"] > 20) == ("succeeded", True)
    # The circle was turned: who never learned again is wrong ever since.
    assert shown["served"]["accuracy"] > shown["frozen"]["accuracy"] + 0.05


def succeeded(place: Place, *words: str, seconds: float = 300) -> dict:
    done = place.run(*words, "--json", seconds=seconds)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def asked(place: Place, rows: pl.DataFrame) -> list[dict]:
    body = {
        "rows": [
            {"key": row["who"], "features": {name: row[name] for name in ("width", "height", "fur")}}
            for row in rows.iter_rows(named=True)
        ]
    }
    answer = httpx.post(f"{url(place)}/v1/models/{MODEL}/predict", json=body, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def told(place: Place, outcomes: list[dict]) -> list[dict]:
    answer = httpx.post(f"{url(place)}/v1/models/{MODEL}/outcomes", json=outcomes, timeout=30, trust_env=False)
    return answer.json()["rows"]


def url(place: Place) -> str:
    return f"http://127.0.0.1:{place.env['UNDERSTUDY_ROUTER_PORT']}"


def settings_of(place: Place) -> Settings:
    ports = {name: int(place.env[f"UNDERSTUDY_{name.upper()}"]) for name in ("router_port", "admin_port")}
    return Settings(home=place.home, **ports)


def test_four_classes_are_served_labelled_watched_trained_and_rolled_out(place, tmp_path):
    now = datetime.now(UTC)
    table = tmp_path / "animals.parquet"
    animals(2000, end=now - timedelta(hours=1)).write_parquet(table)
    config = written(tmp_path, data={"source": str(table)}, promotion={"rule": "non_inferiority", "margin": 0.9})
    assert place.run("init", str(config), seconds=60).returncode == 0
    assert place.run("up", seconds=300).returncode == 0
    succeeded(place, "train", MODEL, "--reason", "first")

    fresh = animals(600, end=now, seed=5).with_columns(who=pl.format("n{}", pl.col("who")))
    answers = asked(place, fresh)
    assert {one["prediction"] for one in answers} == {*CLASSES}
    for one in answers:
        assert [*one["probabilities"]] == [*CLASSES]
        assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert one["score"] == max(one["probabilities"].values()) == one["probabilities"][one["prediction"]]

    truth = fresh["animal"].to_list()
    outcomes = [{"prediction_id": a["prediction_id"], "value": name} for a, name in zip(answers, truth, strict=True)]
    [foreign] = told(place, [outcomes[0] | {"value": "cow"}])
    assert foreign["said"] == "value is 'cow', expected one of the classes 'ant', 'bee', 'cat', 'dog'"
    assert {one["status"] for one in told(place, outcomes)} == {"accepted"}

    right = np.mean([one["prediction"] == name for one, name in zip(answers, truth, strict=True)])
    with RouterClient(settings_of(place)) as client:
        [phase] = client.sync(MODEL).phases
    seen = phase.variants["champion"]
    assert (seen.correct.mean, seen.correct.n, seen.loss.mean) == pytest.approx((right, 600, 1 - right))

    look = succeeded(place, "check", MODEL)
    assert "accuracy" in json.dumps(look)

    again = succeeded(place, "train", MODEL, "--reason", "again")
    assert "goes into rollout" in json.dumps(again), again
    succeeded(place, "rollout", "tick", MODEL)
    later = asked(place, animals(400, end=now, seed=6).with_columns(who=pl.format("m{}", pl.col("who"))))
    assert {one["variant"] for one in later} == {"champion", "challenger"}
    assert {one["prediction"] for one in later if one["variant"] == "challenger"} == {*CLASSES}
    later_truth = animals(400, end=now, seed=6)["animal"].to_list()
    told(place, [{"prediction_id": a["prediction_id"], "value": n} for a, n in zip(later, later_truth, strict=True)])
    compared = place.run("compare", MODEL, "--json", seconds=120)
    assert compared.returncode in (0, 1), compared.stderr
    assert "accuracy" in compared.stdout, compared.stderr
