"""A champion, or a challenger, that is a server: trainings, comparisons and replays ask it, or say why not."""

import json
from types import SimpleNamespace

import msgspec
import numpy as np
import polars as pl
import pytest
from served_making import ModelServer, truth
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from training_making import NOW, make_config, make_frame

from flows.comparison.compare import judge
from flows.comparison.policy import configured_policy
from flows.comparison.scoring import TableScorer
from flows.comparison.tables import case_of_table
from flows.errors import DataError
from flows.replay.bad import Seen, inject
from flows.replay.closing import _frozen
from flows.replay.errors import ReplayRefused
from flows.replay.source import Table
from flows.rollout.begin import configured_guards
from flows.training.packing import pack
from flows.training.publish import register
from flows.training.remote import propose
from flows.training.retraining import run_retraining
from registry.errors import ArtifactRefused, RegistryError
from registry.records.upstream import Upstream

CONFIG = make_config(
    training={"trials": 0, "families": ["linear"], "min_rows": 200},
    promotion={"min_improvement": 0.0, "min_holdout": 50},
)
WHO = {"actor": "ann", "reason": "a test", "at": NOW}
FEATURES = ["a", "b", "c"]


@pytest.fixture
def served():
    with ModelServer() as running:
        yield running


@pytest.fixture
def remote(served, registry, artifacts):
    """The server is v1.0.0 in staging."""
    upstream = Upstream(url=served.url, protocol="json")
    return register(propose(CONFIG, upstream, registry, artifacts, sample=make_frame(100), **WHO), registry, artifacts)


@pytest.fixture
def champion(registry, remote):
    registry.install_first("churn", "v1.0.0", guards=configured_guards(CONFIG.guards), salt="churn.first", **WHO)
    return registry.champion("churn")


@pytest.fixture
def trained(make_shop, registry, champion):
    """v1.1.0, trained here on the first 800 of 1500 rows."""
    run_retraining(make_shop(make_frame(1500).head(800), CONFIG), actor="ann")
    return registry.version("churn", "v1.1.0")


def test_a_challenger_is_trained_against_a_champion_that_is_a_server(make_shop, champion, served):
    served.says = lambda row: 1 - truth(row)

    done = run_retraining(make_shop(make_frame(1500), CONFIG), actor="ann")

    assert (done.outcome, done.version.parent) == ("rollout", "v1.0.0")
    assert done.decision.outcome == "promote"
    assert done.version.baseline_metrics["auc"] < 0.5 < done.version.metrics["auc"]
    assert sum(served.asked) >= done.version.metrics["auc"] * 200


def test_a_challenger_that_is_worse_than_the_server_is_rejected(make_shop, champion, served):
    served.says = lambda row: 0.9 if _crosswise(row) else 0.1
    frame = make_frame(1500)
    labels = [float(_crosswise(row)) for row in frame.to_dicts()]

    done = run_retraining(make_shop(frame.with_columns(_label=pl.Series(labels)), CONFIG), actor="ann")

    assert (done.outcome, done.decision.outcome) == ("rejected", "reject")


def _crosswise(row):
    """Nothing that a linear model can learn."""
    return ((row["a"] or 51.0) > 50) == (row["b"] > 0)


def test_a_server_that_is_away_ends_the_retraining_with_its_address_and_registers_nothing(
    make_shop, registry, champion, served
):
    served.status = 503

    with pytest.raises(RegistryError, match=rf"{served.url} gave no scores\..*upstream_5xx.*Start it"):
        run_retraining(make_shop(make_frame(1500), CONFIG), actor="ann")
    assert [version.version for version in registry.versions("churn")] == ["v1.0.0"]
    assert registry.retraining_events("churn")[0].execution_successful is False


@pytest.mark.parametrize(("said", "shown"), [(None, "nan"), (1.5, "1.5")])
def test_scores_that_are_no_probability_are_refused_with_the_first_of_them(
    make_shop, champion, served, said, shown, artifacts
):
    served.says = lambda row: said if row["b"] == 2.0 else truth(row)
    rows = [{"a": 1.0, "b": float(n), "c": "red"} for n in range(4)]

    with pytest.raises(DataError, match=rf"It says {shown} of row 2, expected a probability .*; 1 of 4 are so"):
        TableScorer(champion, artifacts).score(rows)


def test_a_secret_that_is_not_set_where_the_flow_runs_is_named(registry, artifacts, served, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    upstream = Upstream(url=served.url, protocol="json", headers={"authorization": "Bearer ${TOKEN}"})
    made = register(propose(CONFIG, upstream, registry, artifacts, sample=make_frame(50), **WHO), registry, artifacts)
    monkeypatch.delenv("TOKEN")

    with pytest.raises(ArtifactRefused, match="TOKEN is not set"):
        TableScorer(made, artifacts)


def test_a_server_and_a_trained_version_are_compared_on_a_table(artifacts, trained, champion):
    table = make_frame(1500).rename({"_time": "when", "_label": "y"}).drop("_key")
    config = CONFIG.model_copy(update={"data": CONFIG.data.model_copy(update={"time": "when"})})

    case = case_of_table(config, table, champion, trained, artifacts, configured_policy(config))

    assert (case.champion, case.challenger, case.rows.n) == ("v1.0.0", "v1.1.0", 700)
    assert case.rows.champion == pytest.approx([truth(row) for row in make_frame(1500)[800:, FEATURES].to_dicts()])


class Log:
    """What the router's log gives of the rows of a frame."""

    def __init__(self, frame):
        self._frame = frame

    def rows_raw(self, model, *, since, newest, **_):
        rows = self._frame.filter(self._frame["_time"] > since).tail(newest).to_dicts()
        return b"\n".join(json.dumps(self._line(number, row)).encode() for number, row in enumerate(rows))

    def _line(self, number, row):
        return {
            "sequence": number,
            "time": row["_time"],
            "key": row["_key"],
            "features": {name: row[name] for name in FEATURES},
            "outcomes": {"label": row["_label"]},
        }


def test_a_server_and_a_trained_version_are_compared_on_logged_requests(settings, trained, champion):
    decision = judge(settings, CONFIG, Log(make_frame(1500)), champion, trained, 2000, NOW)

    assert decision.kind == "holdout"
    assert decision.flow["champion"]["matched"] == 700
    assert decision.metrics["champion"]["auc"] == pytest.approx(decision.metrics["challenger"]["auc"], abs=0.05)


def test_a_replay_asks_a_first_champion_that_is_a_server_what_it_would_have_said(settings, registry, champion):
    frame = make_frame(200)
    rows = frame.select(FEATURES).to_dicts()
    table = Table(
        frame=frame,
        times=frame["_time"].to_numpy(),
        keys=frame["_key"].to_list(),
        labels=frame["_label"].to_numpy(),
        features=rows,
        kpis={},
    )

    predictions, scores = _frozen(CONFIG, table, SimpleNamespace(settings=settings, registry=registry), 50)

    assert np.isnan(scores[:50]).all()
    assert scores[50:] == pytest.approx([truth(row) for row in rows[50:]])
    assert predictions[50:].tolist() == [float(truth(row) >= 0.5) for row in rows[50:]]


def test_a_server_cannot_be_made_bad_and_the_refusal_says_so(settings, registry, champion):
    with pytest.raises(ReplayRefused, match="The champion is a model server"):
        inject(settings, registry, CONFIG, at=NOW, steps=None, seen=Seen([], np.empty(0)))


def test_a_champion_that_is_served_as_it_was_fitted_is_made_bad(settings, registry, artifacts, make_shop):
    config = make_config(features={"numeric": ["a", "b"]}, training={"trials": 0, "min_rows": 200})
    run_retraining(make_shop(make_frame(600), config), actor="ann")
    original = _as_original(config, registry, artifacts)
    rows = make_frame(300, seed=5).drop_nulls().select("a", "b").to_dicts()
    good = TableScorer(original, artifacts).score(rows)

    rollout = inject(settings, registry, config, at=NOW, steps=None, seen=Seen(rows, (good > 0.5).astype(float)))

    bad = registry.version("churn", rollout.challenger)
    swapped = [{"a": row["b"], "b": row["a"]} for row in rows]
    assert TableScorer(bad, artifacts).score(rows) == pytest.approx(TableScorer(original, artifacts).score(swapped))
    assert np.abs(TableScorer(bad, artifacts).score(rows) - good).max() > 0.3


def _as_original(config, registry, artifacts):
    """The champion's successor is a pipeline that cannot be folded; it takes the champion's place."""
    frame = make_frame(600).drop_nulls()
    part = frame.select("a", "b")
    pipeline = make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=2000))
    pipeline.fit(part, frame["_label"].to_numpy())
    expected = pipeline.predict_proba(part)[:, 1]
    packed = pack(pipeline, config.features, "binary", rows=part.to_dicts(), expected=expected)
    assert packed.serving == "original"
    before = registry.champion("churn")
    digest = artifacts.save("churn", "v1.1.0", packed.files)
    made = msgspec.structs.replace(
        before, version="v1.1.0", stage="staging", artifact_digest=digest, serving="original"
    )
    registry.register_version(made)
    _crown(registry, config, made)
    return registry.champion("churn")


def _crown(registry, config, version):
    from flows.rollout.begin import begin_rollout
    from flows.rollout.plans import promotion_plan

    rollout = begin_rollout(config, registry, model="churn", challenger=version.version, decision=None, **WHO)
    registry.move_rollout(
        msgspec.structs.replace(rollout, revision=2, status="succeeded"),
        plan=promotion_plan(rollout, registry.plan("churn"), **WHO),
        stages={version.version: "production", rollout.champion: "archived"},
        **WHO,
    )
