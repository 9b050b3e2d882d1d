"""What the router saw is what a training sees: row by row, to the last bit."""

import struct

from router_live import AT, Live, spec

from flows.client import RouterClient
from flows.config.load import parse_config
from flows.config.model import ModelConfig
from flows.data.gather import extract
from flows.data.rows import feature_rows
from registry.scoring.scorer import Scorer, scorer_files

NUMBERS = [
    0,
    1,
    -0.0,
    0.1,
    1e-310,
    1.7e308,
    2**53,
    2**53 + 1,
    -(2**63),
    10**20,
    12345678901234567890,
    3.0,
    None,
    True,
    False,
]
LEVELS = ["a", "b", "", "ä", "größer 🚲", "a\u0000b", "\u202e", '"', "\\", "null", "NaN", "1", " a ", "x" * 900, None]
WRONG = ["1", [1], {"x": 1}, 2, 1.5, True, ["a"]]
FIRST = AT.timestamp()


def served_config() -> ModelConfig:
    features = {"numeric": ["x"], "categorical": ["c"]}
    return parse_config({"model": "m", "task": "binary", "target": "y", "features": features}, "test")


def asked() -> list[dict]:
    """Every number with every level, then values of types that do not belong there."""
    pairs = [(x, c) for x in NUMBERS for c in LEVELS]
    pairs += [(wrong, "a") for wrong in WRONG] + [(1.0, wrong) for wrong in WRONG]
    return [
        {"key": f"k{n}", "id": f"p{n}", "time": FIRST + n, "features": {"x": x, "c": c}}
        for n, (x, c) in enumerate(pairs)
    ]


def sent(live: Live, rows: list[dict]) -> dict[str, tuple[dict, float]]:
    """Send each on its own; returns what was answered, by key."""
    answered = {}
    for row in rows:
        answer = live.http.post("/v1/models/m/predict", json=row)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 200:
            answered[row["key"]] = (row["features"], answer.json()["score"])
    return answered


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


def test_training_data_from_the_log_equal_what_was_served_and_score_again_as_they_were_answered(live: Live):
    live.start("router", "control")
    answered = sent(live, asked())
    outcomes = [{"prediction_id": f"p{key[1:]}", "value": int(key[1:]) % 2} for key in answered]
    live.http.post("/v1/models/m/outcomes", json=outcomes).raise_for_status()
    live.sync()

    with RouterClient(live.settings) as client:
        frame = extract(served_config(), live.settings, client).frame

    assert len(answered) >= 150
    assert sorted(frame["_key"]) == sorted(answered)
    for row in frame.iter_rows(named=True):
        features, _ = answered[row["_key"]]
        wanted = features["x"]
        assert bits(row["x"]) == bits(None if wanted is None else float(wanted)), (row, features)
        assert row["c"] == features["c"], (row, features)
        assert row["_label"] == int(row["_key"][1:]) % 2
        assert row["_time"] == FIRST + int(row["_key"][1:])
    again = Scorer.of(scorer_files(spec(1.0), None)).score(feature_rows(served_config(), frame))
    assert again.tolist() == [answered[key][1] for key in frame["_key"]]
