"""`understudy models remote add`, against real servers on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_making import CHURN, CSV, tree

from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.store.registry import Registry


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.heard.append((self.path, body, self.headers))
        rows = body.get("instances") or body.get("dataframe_split", {}).get("data") or [1]
        said = self.server.says(len(rows))
        self.send_response(200 if said is not None else 503)
        raw = json.dumps(said).encode()
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.heard, running.says = [], lambda n: {"predictions": [0.25] * n}
    running.url = f"http://127.0.0.1:{running.server_port}/score"
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def churn(understudy):
    Path("churn.yaml").write_text(CHURN)
    Path("churn.csv").write_text(CSV)
    understudy("init", "churn.yaml")
    understudy("models")
    return understudy


def add(terminal, server, *words):
    return terminal("models", "remote", "add", "churn", "--url", server.url, "--protocol", "json", *words)


def test_a_server_that_answers_becomes_a_version_in_staging(churn, server, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    answer = add(churn, server, "--header", "authorization=Bearer ${TOKEN}", "--json")

    assert answer.code == 0, answer.err
    said = answer.json
    assert (said["version"], said["registered"], said["scores"]) == ("v1.0.0", True, [0.25] * 3)
    assert json.loads(said["request"])["instances"][0] == {"age": 0.0, "plan": "a"}
    assert server.heard[0][2]["authorization"] == "Bearer s3cret"
    where = Settings()
    with Registry.open(where.registry_url) as registry:
        version = registry.version("churn", "v1.0.0")
    files = ArtifactStore(where.models_dir).load("churn", "v1.0.0", version.artifact_digest)
    assert (version.stage, version.algorithm, [f.name for f in version.features]) == (
        "staging",
        "remote",
        ["age", "plan"],
    )
    assert sorted(files) == ["card.md", "reference.json", "upstream.json"]
    assert not any(b"s3cret" in path.read_bytes() for path in where.home.rglob("*") if path.is_file())
    assert "s3cret" not in answer.out


def test_a_model_without_champion_gets_it_as_its_first_one_and_the_next_is_asked_about_a_typical_row(churn, server):
    add(churn, server)
    promoted = churn("promote", "churn", "v1.0.0", "--reason", "a sidecar", "--json")
    assert "first champion" in promoted.json["said"]

    second = add(churn, server, "--json").json

    assert second["version"] == "v1.1.0"
    assert json.loads(second["request"]) == {"instances": [{"age": 30.0, "plan": "a"}]}


def test_a_dry_run_asks_but_stores_nothing(churn, server):
    before = tree()
    answer = add(churn, server, "--dry-run")

    assert answer.code == 0
    assert "Nothing was stored" in answer.out
    assert len(server.heard) == 2
    assert tree() == before


def test_a_file_says_everything_and_options_win(churn, server):
    Path("upstream.json").write_text(json.dumps({"url": "http://nowhere.invalid", "protocol": "json", "score": "/p"}))
    Path("rows.json").write_text('{"age": 41, "plan": "z"}')
    server.says = lambda n: {"predictions": [{"p": 0.5}] * n}
    answer = add(churn, server, "--file", "upstream.json", "--sample", "rows.json", "--json")

    assert answer.code == 0, answer.err
    assert server.heard[0][1] == {"instances": [{"age": 41.0, "plan": "z"}]}


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda n: None, "upstream_5xx: it answers 503"),
        (lambda n: {"scores": [0.1] * n}, "there is no 'predictions'"),
        (lambda n: {"predictions": [0.1]}, "1 scores for 3 rows"),
        (lambda n: {"predictions": [1.5] * n}, "a score is 1.5, expected a probability"),
        (lambda n: {"predictions": [None] * n}, "a score is nan"),
    ],
)
def test_a_server_that_gives_no_usable_score_is_not_registered_and_its_words_are_shown(churn, server, says, why):
    server.says = says
    before = tree()
    said = add(churn, server).refused(code=3)

    assert why.lower() in said.lower()
    assert tree() == before


def test_nobody_listening_is_said(churn):
    said = churn("models", "remote", "add", "churn", "--url", "http://127.0.0.1:9", "--protocol", "mlflow").refused(
        code=3
    )

    assert "unreachable" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--protocol", "v2"), "model is missing"),
        (("--protocol", "grpc"), "Invalid enum value 'grpc'"),
        (("--request", "{"), "no JSON"),
        (("--request", "{}"), "0 places for '$rows'"),
        (("--header", "authorization=Bearer abc"), "holds a secret"),
        (("--header", "abc"), "has no '='"),
        (("--header", "x-key=${NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE is not set"),
        (("--file", "absent.json"), "absent.json"),
        (("--sample", "absent.json"), "absent.json"),
    ],
)
def test_wrong_use_is_refused_before_anybody_is_asked(churn, server, words, why):
    answer = add(churn, server, *words)

    assert answer.code in (2, 3)
    assert why in answer.refused(answer.code)
    assert server.heard == []
