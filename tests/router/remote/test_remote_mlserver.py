"""Against a real MLServer: `UNDERSTUDY_MLSERVER=/path/to/venv pytest -m long tests/router/remote`."""

import json

import pytest
from peers_making import ROWS, environment, ports, running, train
from upstream_making import ask_once, remote_of

from registry.records.upstream import Upstream
from registry.records.version import Feature
from registry.upstream.failed import UpstreamFailed

pytestmark = pytest.mark.long
X, Z, C = (Feature(name="x", kind="numeric"), Feature(name="z", kind="numeric"), Feature(name="c", kind="categorical"))
SAVE = """
import joblib, xgboost
from pathlib import Path
for name, model in {"plain": plain, "mixed": mixed}.items():
    Path(name).mkdir()
    joblib.dump(model, f"{name}/model.joblib")
    where = {"uri": "./model.joblib"}
    settings = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": where}
    Path(name, "model-settings.json").write_text(json.dumps(settings))
Path("boosted").mkdir()
boosted = xgboost.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1).fit(matrix, label)
boosted.save_model("boosted/model.json")
settings = {"name": "boosted", "implementation": "mlserver_xgboost.XGBoostModel", "parameters": {"uri": "./model.json"}}
Path("boosted", "model-settings.json").write_text(json.dumps(settings))
truth["boosted"] = boosted.predict_proba(head[["x", "z"]].to_numpy())[:, 1].tolist()
"""


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory):
    venv, folder = environment("UNDERSTUDY_MLSERVER"), tmp_path_factory.mktemp("mlserver")
    truth = train(venv / "bin/python", folder, SAVE)
    http, grpc, metrics = ports(3)
    settings = {
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "host": "127.0.0.1",
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{http}"
    with running([str(venv / "bin/mlserver"), "start", "."], folder, f"{url}/v2/health/ready"):
        yield url, truth


WAYS = {
    "plain": ((X, Z), {"layout": "matrix", "output": "predict_proba", "score": "/1"}),
    "mixed": ((X, Z, C), {"layout": "columns", "output": "predict_proba", "score": "/1"}),
    "boosted": ((X, Z), {"layout": "matrix", "output": "predict_proba", "score": "/1"}),
}


@pytest.mark.parametrize("model", WAYS)
def test_scores_are_those_of_the_pipeline(mlserver, model):
    url, truth = mlserver
    features, way = WAYS[model]
    remote = remote_of(Upstream(url=url, protocol="v2", model=model, **way), features=features)

    assert ask_once(remote, ROWS, deadline_ms=20_000) == pytest.approx(truth[model], abs=1e-6)
    assert ask_once(remote, ROWS[:1], deadline_ms=20_000) == pytest.approx(truth[model][:1], abs=1e-6)


def test_without_an_output_the_class_is_what_it_says(mlserver):
    url, truth = mlserver
    remote = remote_of(Upstream(url=url, protocol="v2", model="mixed"), features=(X, Z, C))

    assert ask_once(remote, ROWS, deadline_ms=20_000) == truth["class"]


def test_a_model_that_it_does_not_have_is_its_mistake_or_ours_but_a_reason(mlserver):
    url, _ = mlserver
    remote = remote_of(Upstream(url=url, protocol="v2", model="absent"), features=(X, Z, C))

    with pytest.raises(UpstreamFailed, match="upstream_4xx"):
        ask_once(remote, ROWS, deadline_ms=20_000)
