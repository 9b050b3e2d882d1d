"""A sender that is stopped anywhere, and a server that comes and goes: nothing lost, nothing twice."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from datetime import timedelta
from itertools import count

import httpx
import pytest
from tracking_making import (
    EVENT,
    NOON,
    WHO,
    a_config,
    a_decision,
    a_look,
    a_version,
    an_event,
    counts,
    furnish,
    trials,
    uri_of,
    with_store,
)

from flows.tracking.outbox import Outbox
from flows.tracking.send import send
from flows.tracking.store import VARIABLE, connect
from flows.tracking.tracker import Tracker
from registry.store.registry import Registry

TRIED = 12
STOPS = ("search_runs", "create_run", "log_batch", "log_inputs", "log_artifacts", "set_terminated", "create_experiment")
STOPS += ("create_registered_model", "create_model_version", "set_registered_model_alias", "set_registered_model_tag")
ROUNDS = 30


def note_batch(where, number, tried=TRIED):
    """One look, one version with its trials, its verdict and its end."""
    tracker, at = Tracker(where, a_config()), NOON + timedelta(hours=number)
    version = a_version(f"v1.{number + 2}.0")
    with Registry.open(where.registry_url) as registry:
        registry.register_version(version)
        registry.record(action="test", model="churn", subject="x", **WHO)
    event = an_event(id=f"{EVENT}-{number}", retrained_version=version.version)
    tracker.note_look(a_look(at, event.id))
    tracker.note_candidate(version, trials(tried), {"card.md": b"# churn"})
    tracker.note_decision(a_decision(f"d-{number}"))
    tracker.note_retraining(event, version)


def wanted(batches, tried=TRIED, *, mirrored):
    """Runs by experiment; the first champion has one because it is mirrored."""
    return {
        "drift_monitoring": batches,
        "automated_retraining": batches,
        "model_comparison": batches,
        "retraining_pipeline": batches * (1 + tried) + mirrored,
    }


def stop_at(monkeypatch, place):
    """Let the sender end before its call number *place*, as if it were killed there."""
    from mlflow import MlflowClient

    calls = count(1)

    def stopping(name):
        plain = getattr(MlflowClient, name)

        def call(self, *words, **more):
            if next(calls) == place:
                raise KeyboardInterrupt
            return plain(self, *words, **more)

        return call

    for name in STOPS:
        monkeypatch.setattr(MlflowClient, name, stopping(name))


def semvers(client):
    return sorted(one.tags["semver"] for one in client.search_model_versions("name = 'churn'", max_results=500))


@pytest.mark.long
def test_a_sender_that_is_stopped_before_any_of_its_calls_loses_nothing_and_doubles_nothing(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    where, stopped = with_store(furnish()), 0
    for place in count(1):
        note_batch(where, place, tried=2)
        with monkeypatch.context() as patch:
            stop_at(patch, place)
            try:
                send(where)
            except KeyboardInterrupt:
                stopped += 1
                continue
        break

    send(where)
    client = connect(where, uri_of(where))
    assert stopped > 30
    assert counts(client) == wanted(place, 2, mirrored=1)
    assert len(semvers(client)) == len(set(semvers(client))) == place + 1
    assert Outbox(where).stock().waiting == 0


def send_and_be_killed(where, after, uri=None):
    """A sender of its own, killed after so many seconds; says whether it was still at work."""
    child = os.fork()
    if child == 0:
        try:
            if uri:
                os.environ[VARIABLE] = uri
            send(where)
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.long
def test_a_sender_that_is_killed_at_random_loses_nothing_and_doubles_nothing(monkeypatch):
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  once, not in every child

    monkeypatch.delenv(VARIABLE, raising=False)
    where, dice = furnish(), random.Random(7)  # it makes the store, too
    killed = 0
    for number in range(ROUNDS):
        note_batch(where, number)
        killed += send_and_be_killed(where, dice.uniform(0.05, 2.0))
    send(where)

    client = connect(where, uri_of(where))
    print(f"killed at work {killed} of {ROUNDS} times")
    assert killed >= 20
    assert counts(client) == wanted(ROUNDS, mirrored=1)
    assert len(semvers(client)) == len(set(semvers(client))) == ROUNDS + 1


@pytest.fixture
def server(tmp_path):
    """A tracking server that can be stopped and started; MLFLOW_SERVER is the full `mlflow` of another environment."""
    program = os.environ.get("MLFLOW_SERVER")
    if not program or not shutil.which(program):
        pytest.skip("MLFLOW_SERVER names no full mlflow")
    one = Server(program, tmp_path)
    yield one
    one.stop()


class Server:
    def __init__(self, program, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.command = [program, "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self.command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder)]
        self.process = None

    def start(self):
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | quiet,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.uri}/health", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.3)
        raise AssertionError("the server does not answer")

    def stop(self, sign=signal.SIGTERM):
        if self.process is not None:
            os.killpg(self.process.pid, sign)
            self.process.wait(30)
            self.process = None


@pytest.mark.long
def test_a_server_and_a_sender_that_are_killed_at_random_lose_nothing_and_double_nothing(server, monkeypatch):
    import mlflow.store.tracking.rest_store  # noqa: F401  once, not in every child

    monkeypatch.setenv(VARIABLE, server.uri)
    where, dice, killed = furnish(), random.Random(11), 0
    note_batch(where, 0)
    away = send(where)
    server.start()
    for number in range(1, 25):
        note_batch(where, number)
        killed += send_and_be_killed(where, dice.uniform(0.1, 2.0), server.uri)
        if number % 6 == 0:
            server.stop(signal.SIGKILL)
            note_batch(where, 100 + number)
            away_again = send(where)
            server.start()
    last = send(where)

    client = connect(where, server.uri)
    print(f"sender killed at work {killed} of 24 times, server 4 times")
    assert (away.sent, away_again.sent) == (0, 0)
    assert last.waiting == last.aside == 0
    assert killed >= 15
    assert counts(client) == wanted(29, mirrored=1)
    assert len(semvers(client)) == len(set(semvers(client))) == 30
