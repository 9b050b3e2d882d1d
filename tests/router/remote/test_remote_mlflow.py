"""Against a real `mlflow models serve`: `UNDERSTUDY_MLFLOW=/path/to/venv pytest -m long tests/router/remote`."""

import pytest
from peers_making import ROWS, environment, ports, running, train
from upstream_making import ask_once, remote_of

from registry.records.upstream import Upstream
from registry.records.version import Feature
from registry.upstream.failed import UpstreamFailed

pytestmark = pytest.mark.long
X, Z, C = (Feature(name="x", kind="numeric"), Feature(name="z", kind="numeric"), Feature(name="c", kind="categorical"))
SAVE = """
import mlflow.sklearn, mlflow.pyfunc
from mlflow.models import infer_signature
mlflow.sklearn.save_model(plain, path="plain", serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba",
                          signature=infer_signature(matrix, plain.predict_proba(matrix)))
mlflow.sklearn.save_model(mixed, path="mixed", serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba",
                          signature=infer_signature(frame, mixed.predict_proba(frame)))
"""


@pytest.fixture(scope="module", params=["plain", "mixed"])
def mlflow(request, tmp_path_factory):
    venv, folder = environment("UNDERSTUDY_MLFLOW"), tmp_path_factory.mktemp("mlflow")
    truth = train(venv / "bin/python", folder, SAVE)
    (port,) = ports(1)
    command = [str(venv / "bin/mlflow"), "models", "serve", "-m", request.param, "--env-manager", "local"]
    path = f"{venv / 'bin'}:/usr/bin:/bin"
    health = f"http://127.0.0.1:{port}/ping"
    with running([*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"], folder, health, PATH=path):
        yield request.param, f"http://127.0.0.1:{port}", truth[request.param]


WAYS = {"plain": ((X, Z), ("matrix",)), "mixed": ((X, Z, C), ("split", "columns"))}


def test_scores_are_those_of_the_pipeline(mlflow):
    model, url, truth = mlflow
    features, layouts = WAYS[model]
    for layout in layouts:
        remote = remote_of(Upstream(url=url, protocol="mlflow", layout=layout, score="/1"), features=features)
        assert ask_once(remote, ROWS, deadline_ms=20_000) == pytest.approx(truth, abs=1e-6), layout
        assert ask_once(remote, ROWS[:1], deadline_ms=20_000) == pytest.approx(truth[:1], abs=1e-6), layout


def test_rows_of_another_shape_are_refused_there_and_have_a_reason_here(mlflow):
    _, url, _ = mlflow
    remote = remote_of(Upstream(url=url, protocol="mlflow"), features=(Feature(name="alien", kind="numeric"),))

    with pytest.raises(UpstreamFailed, match="upstream_"):
        ask_once(remote, [{"alien": 1.0}], deadline_ms=20_000)
