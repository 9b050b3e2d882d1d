"""Drift of a model that sees dates: new dates are no drift, and what depends on them can still be mended."""

from datetime import timedelta

import polars as pl
import pytest
from drift_making import NOON, make_config

from flows.data.dates import with_parts
from flows.data.prepare import prepare
from flows.detection.sources import TableRows
from flows.detection.standard import read_kept
from flows.detection.watch import watch
from flows.training.candidate import train_candidate
from flows.training.publish import publish
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.plan import Guards
from registry.scoring.scorer import Scorer
from registry.store.registry import Registry

BEFORE = NOON - timedelta(days=30)


def table(rows, since, *, turned=False):
    """Two rows an hour; callers come by day and not by night, or the other way round."""
    at = [since + timedelta(minutes=30 * n) for n in range(rows)]
    y = [int((7 <= moment.hour < 19) != turned) for moment in at]
    return pl.DataFrame({"x": [float(n % 17) for n in range(rows)], "at": at, "y": y})


@pytest.mark.parametrize("numeric", [("x",), ()])
def test_a_look_leaves_dates_out_and_finds_what_a_refit_would_mend(tmp_path, numeric):
    features = {"numeric": list(numeric), "dates": ["at"]}
    training = {"trials": 0, "families": ["forest"], "min_rows": 200, "window": None}
    config = make_config(features=features, training=training, data={"time": "at"}, target="y")
    settings = Settings(home=tmp_path).prepare()
    store, who = ArtifactStore(settings.models_dir), {"actor": "ann", "reason": "test", "at": BEFORE}
    learned = prepare(config, table(2000, BEFORE - timedelta(hours=1000)))
    candidate = train_candidate(config, learned, champion=None, champion_scorer=None, seed=0, as_of=BEFORE)
    with Registry.open(settings.registry_url) as registry:
        made = publish(candidate, registry, store, config=config, **who)
        registry.install_first("churn", made.version, guards=Guards(), salt="churn.first", **who)
        now = prepare(config, table(1400, BEFORE, turned=True))
        rows = TableRows(now, config, made.version, Scorer.of(candidate.files).score)

        look = watch(config, registry, rows, lambda version: read_kept(store, version), NOON).look

    assert [one.name for one in look.drift.features] == list(numeric)
    assert look.drift.drifted == ()
    assert look.decision.triggered
    assert look.decision.evidence["recoverable"] > 1
    assert look.decision.affected_features[0] == "at (hour)"


def test_parts_stand_in_the_place_of_dates():
    frame = pl.DataFrame({"x": [1.0, 2.0], "at": [NOON.timestamp(), None]})

    parts = with_parts(frame, ["at"])

    assert parts.columns == ["x", "at (hour)", "at (weekday)", "at (day of year)"]
    assert parts.row(0)[:3] == (1.0, 12 * 3600.0, NOON.weekday() * 86_400.0)
    assert parts.row(1) == (2.0, None, None, None)
    assert with_parts(frame, []) is frame
