"""`understudy rollback` gives callers back before anything heavy is loaded, and never loads Prefect."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cli_making import WHO

from registry.home import Settings
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry

HEAVY = ("prefect", "mlflow", "pandas", "polars", "sklearn", "scipy", "numpy", "apprise")
WORDS = ("rollback", "churn", "--reason", "wrong prices", "--json")
# Runs the command, and says on standard error what had been loaded when the router was asked, and at the end.
CODE = """
import sys
from flows.cli.main import main
from flows.client import RouterClient

asked = RouterClient.rollback
def rollback(*words, **said):
    print("asked", "sqlalchemy" in sys.modules, file=sys.stderr)
    return asked(*words, **said)
RouterClient.rollback = rollback
code = main(sys.argv[1:])
print("loaded", *[name for name in {heavy} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def control(furnished):
    """A control that gives back, and remembers what it was asked."""
    asked = []
    with Registry.open(Settings().registry_url) as registry:
        body = registry.plan("churn").to_json()

    class Control(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def begin():
    rollout = Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=0, min_s=60, max_s=120),),
        policy=PromotionPolicy(metric="auc"),
        salt="churn.r-0001",
        step_started_at=WHO["at"],
        created_at=WHO["at"],
    )
    with Registry.open(Settings().registry_url) as registry:
        registry.start_rollout(rollout, **WHO)


def run(port):
    environment = os.environ | {"UNDERSTUDY_HOME": str(Settings().home), "UNDERSTUDY_ADMIN_PORT": str(port)}
    words = [sys.executable, "-c", CODE.replace("{heavy}", repr(HEAVY)), *WORDS]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_router_is_asked_before_a_database_driver_is_loaded(control):
    port, asked = control
    Settings().token()
    done = run(port)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epoch"] == 1
    assert [path for path, _ in asked] == ["/v1/models/churn/rollback"]
    assert "asked False" in done.stderr


def test_prefect_is_never_loaded(control):
    port, asked = control  # without a token there was never a router here: nobody is asked
    begin()
    done = run(port)

    assert done.returncode == 0, done.stderr
    assert asked == []
    assert done.stderr.splitlines()[-1] == "loaded"
