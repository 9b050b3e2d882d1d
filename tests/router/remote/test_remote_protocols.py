"""Every protocol and layout is understood by a real server, in one request for all rows."""

import subprocess
import sys

import pytest
from upstream_making import FEATURES, ROWS, SCORES, ask_once, remote_of, remote_version, truth

from registry.errors import ArtifactRefused
from registry.records.upstream import Upstream
from router.remote.remote import Remote

V2 = {"protocol": "v2", "model": "lead model"}
WAYS = {
    "json by name": {"protocol": "json"},
    "json by position": {
        "protocol": "json",
        "layout": "placed",
        "request": {"columns": "$names", "data": "$rows"},
        "scores": "/result/items",
        "score": "/p/1",
    },
    "v2 columns": {**V2},
    "v2 output": {**V2, "output": "predict_proba", "score": "/1"},
    "mlflow split": {"protocol": "mlflow"},
    "mlflow columns": {"protocol": "mlflow", "layout": "columns"},
    "mlflow matrix": {"protocol": "mlflow", "layout": "matrix"},
}


def upstream_of(served, **way):
    path = "/score" if way["protocol"] == "json" else ""
    return Upstream(url=served.url + path, **way)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_all_rows_go_in_one_request_and_come_back_in_order(served, way):
    remote = remote_of(upstream_of(served, **way))

    scores = ask_once(remote, ROWS)

    assert scores == pytest.approx(SCORES)
    assert len(served.asked) == 1


def test_a_v2_matrix_is_one_tensor_of_numbers(served):
    remote = remote_of(upstream_of(served, **V2, layout="matrix"), features=FEATURES[:1])

    scores = ask_once(remote, ROWS)

    assert scores == pytest.approx([truth({"x": row["x"], "c": None}) for row in ROWS])
    assert served.asked[0]["inputs"] == [
        {"name": "input-0", "shape": [3, 1], "datatype": "FP64", "data": [1.0, None, -2.0]}
    ]


def test_columns_of_v2_name_their_types_and_have_no_missing_text(served):
    ask_once(remote_of(upstream_of(served, **V2)), ROWS)

    numeric, words = served.asked[0]["inputs"]
    assert (numeric["datatype"], numeric["data"]) == ("FP64", [1.0, None, -2.0])
    assert (words["datatype"], words["data"]) == ("BYTES", ["a", "b", ""])


def test_features_may_have_other_names_there_and_no_other_feature_leaves(served):
    remote = remote_of(upstream_of(served, protocol="json", names={"x": "age"}))

    with pytest.raises(ValueError, match="upstream_5xx"):
        ask_once(remote, [{**ROWS[0], "secret": 1}])

    assert served.asked == [{"instances": [{"age": 1.0, "c": "a"}]}]


def test_secrets_of_headers_come_from_the_environment_and_nothing_else_is_added(served):
    upstream = upstream_of(served, protocol="json", headers={"Authorization": "Bearer ${TOKEN}", "x-team": "leads"})
    ask_once(remote_of(upstream, {"TOKEN": "t0p"}), ROWS)

    heard = served.headers[0]
    assert (heard["authorization"], heard["x-team"]) == ("Bearer t0p", "leads")
    assert b"t0p" not in upstream.to_json()
    assert heard["accept-encoding"] == "identity"
    assert heard["content-type"] == "application/json"


@pytest.mark.parametrize("value", [None, "", "two\nlines", "späti"])
def test_a_secret_that_is_not_there_or_cannot_be_sent_is_named_when_the_version_is_loaded(value):
    upstream = Upstream(url="http://localhost/x", protocol="json", headers={"x-key": "${TOKEN}"})

    with pytest.raises(ArtifactRefused, match="TOKEN is not"):
        remote_of(upstream, {} if value is None else {"TOKEN": value})


def test_proxies_of_the_environment_are_not_asked(served, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert ask_once(remote_of(upstream_of(served, protocol="json")), ROWS) == pytest.approx(SCORES)


def test_whoever_may_wait_gets_the_same_scores(served):
    remote = remote_of(upstream_of(served, protocol="json"))

    assert remote.score_now(ROWS, timeout=5) == pytest.approx(SCORES)
    assert remote.score(ROWS) == pytest.approx(SCORES)
    assert remote.score([]) == []
    assert remote.predictions([0.2, 0.5, 0.9]) == [0, 1, 1]
    remote.retire()
    assert remote.score_now(ROWS, timeout=5) == pytest.approx(SCORES)
    remote.retire()


def test_values_of_a_regression_are_told_as_they_are():
    remote = remote_of(Upstream(url="http://localhost/", protocol="json"), task="regression")

    assert remote.predictions([0.2, 12.5]) == [0.2, 12.5]


def test_an_artifact_that_makes_no_sense_is_refused():
    with pytest.raises(ArtifactRefused, match=r"upstream\.json"):
        Remote.of(remote_version(), {"upstream.json": b'{"url": "ftp://x", "protocol": "json"}'})
    with pytest.raises(ArtifactRefused, match=r"upstream\.json"):
        Remote.of(remote_version(), {"upstream.json": b"{"})


def test_whoever_serves_no_remote_version_imports_no_http_client():
    code = "import sys, router.models, router.shadow.child; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "False"
