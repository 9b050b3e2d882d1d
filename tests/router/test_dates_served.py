"""Dates from the table to the answer of a router process, and back from its log."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest
from router_live import AT, Live

from flows.client import RouterClient
from flows.config.load import parse_config
from flows.data.gather import extract
from flows.data.prepare import prepare
from flows.training.candidate import train_candidate
from flows.training.publish import publish
from registry.artifacts import ArtifactStore
from registry.records.plan import Guards
from registry.records.version import Feature
from registry.scoring.scorer import Scorer
from registry.store.registry import Registry
from router.decode import rows_of
from router.errors import BadRequest
from router.hot.asking import Odd, Parser

CONFIG = parse_config(
    {
        "model": "m",
        "task": "binary",
        "target": "busy",
        "features": {"numeric": ["x"], "dates": ["sent"]},
        "data": {"time": "sent"},
        "training": {"families": ["lightgbm"], "trials": 1, "min_rows": 200, "window": None},
        "validation": {"enabled": False},
    },
    "test",
)
FEATURES = (Feature(name="x", kind="numeric"), Feature(name="sent", kind="date"))


@pytest.fixture
def registry(settings):
    """A champion that has learned office hours, Monday to Friday, in UTC."""
    dice = np.random.default_rng(3)
    moments = [AT - timedelta(minutes=float(m)) for m in np.sort(dice.uniform(0, 200 * 24 * 60, 3000))[::-1]]
    busy = [int(m.weekday() < 5 and 8 <= m.hour < 20) for m in moments]
    table = pl.DataFrame({"x": dice.normal(size=3000), "sent": [m.isoformat() for m in moments], "busy": busy})
    rows = prepare(CONFIG, table)
    candidate = train_candidate(CONFIG, rows, champion=None, champion_scorer=None, seed=0, as_of=AT)
    assert candidate.metrics["auc"] > 0.98
    store, who = ArtifactStore(settings.models_dir), {"actor": "test", "reason": "test", "at": AT}
    with Registry.open(settings.registry_url) as opened:
        made = publish(candidate, opened, store, config=CONFIG, **who)
        opened.install_first("m", made.version, guards=Guards(), salt="first", **who)
        yield opened


def asked(live: Live, sent: object) -> float:
    answer = live.http.post("/v1/models/m/predict", json={"key": "k", "features": {"x": 0.0, "sent": sent}})
    assert answer.status_code == 200, answer.text
    return float(answer.json()["score"])


def test_a_date_is_served_as_it_was_learned_in_every_notation_and_comes_back_from_the_log(live: Live, registry):
    live.start("router", "control")
    version = registry.version("m", "v1.0.0")
    scorer = Scorer.of(ArtifactStore(live.settings.models_dir).load("m", "v1.0.0", version.artifact_digest))
    tuesday = datetime(2026, 3, 3, 10, tzinfo=UTC)  # after everything that was learned
    notations = ["2026-03-03T10:00:00Z", "2026-03-03T19:00:00+09:00", "2026-03-03 10:00", tuesday.timestamp()]

    scores = [asked(live, one) for one in notations]
    by_place = live.http.post("/v1/models/m/predict", json={"key": "k", "features": [0.0, notations[0]]}).json()
    batch = [{"key": str(n), "features": {"x": 0.0, "sent": notations[n % 4]}} for n in range(40)]
    others = [asked(live, one) for one in ("2026-03-08T10:00:00Z", "2026-03-03T03:00:00Z", "1954-03-02T10:00:00", None)]
    refused = live.http.post("/v1/models/m/predict", json={"key": "k", "features": {"x": 0.0, "sent": "3.3.2026"}})

    rows = [{"x": 0.0, "sent": one} for one in (tuesday.timestamp(), None)]
    assert {*scores, by_place["score"], *(row["score"] for row in live.predict(batch))} == {scorer.score(rows)[0]}
    assert scores[0] > 0.8
    assert others[0] < 0.2 and others[1] < 0.2  # a Sunday; at night
    assert others[3] == scorer.score(rows)[1]
    assert refused.status_code == 422
    assert "features.sent is '3.3.2026', expected an ISO 8601 date" in refused.text
    outcomes = [{"key": str(n), "value": n % 2} for n in range(40)]
    live.http.post("/v1/models/m/outcomes", json=outcomes).raise_for_status()
    live.sync()
    with RouterClient(live.settings) as client:
        logged = extract(CONFIG, live.settings, client).frame["sent"]
    assert logged.to_list() == [tuesday.timestamp()] * 40


SAID = [None, "2026-03-03", "1954-03-02T10:00:00+02:00", 5, -1e9, 1.5, "x", "", 1e13, True, [1], {"a": 1}, "2026-02-30"]


@pytest.mark.parametrize("said", SAID, ids=str)
def test_both_paths_read_a_date_alike(said):
    document = {"key": "k", "features": {"x": 1.0, "sent": said}}
    try:
        long = rows_of(document, FEATURES)[0][0].features
    except BadRequest:
        long = None
    try:
        row = Parser(FEATURES).rows(msgspec.json.encode(document), 10)[0][0]
        short = dict(zip(("x", "sent"), row.values, strict=True))
        assert msgspec.json.decode(row.raw) == short
    except Odd:
        short = None

    assert short == long
