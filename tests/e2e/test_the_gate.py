"""The approval gate on a real Prefect server: a form that waits without a process, answered by two people."""

import contextlib
import time
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import psutil
import pytest

from flows.config.load import parse_config, register_config
from flows.rollout.describe import is_told
from flows.rollout.gate.forms import _lost_its_form
from registry.records.plan import Guards
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MODEL = "gated"
LOOK, GATE = "rollout/rollout-every-5-minutes", "approval/approval-gate"
CONFIG = {
    "model": MODEL,
    "task": "binary",
    "target": "left",
    "features": {"numeric": ["x"]},
    "validation": {"enabled": False},
    "rollout": {"steps": [{"share": 0.1, "min": "1d"}, {"share": 1, "min": "1d"}]},
}
YES = {"decision": "yes", "reason": "read the report"}


@pytest.fixture(scope="module")
def registry(place, settings):
    """A champion and three challengers, without files: nobody calls them here."""
    register_config(parse_config(CONFIG, "test"), settings)
    with Registry.open(settings.registry_url) as registry:
        for name in ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0"):
            registry.register_version(a_version(name))
        registry.install_first(MODEL, "v1.0.0", guards=Guards(), salt=f"{MODEL}.first", **who())
        yield registry


@pytest.fixture(scope="module")
def server(settings):
    with httpx.Client(base_url=settings.prefect_api_url, timeout=60, trust_env=False) as client:
        yield Server(client)


class Server:
    """What people do on the pages of the Prefect server, by its API."""

    def __init__(self, client):
        self._client = client

    def get(self, path):
        return self._client.get(path).raise_for_status().json()

    def post(self, path, body=None):
        for _ in range(20):
            answer = self._client.post(path, json=body or {})
            if answer.status_code != 503:  # its database is locked
                break
            time.sleep(0.5)
        return answer.raise_for_status().json()

    def look(self):
        """Let the rollout flow look once, and wait for it."""
        deployment = self.get(f"/deployments/name/{LOOK}")["id"]
        for _ in range(10):
            run = self.post(f"/deployments/{deployment}/create_flow_run")["id"]
            state = self.until(run, lambda state: state["type"] in ("COMPLETED", "CANCELLED"))
            if state["type"] == "COMPLETED":
                return
            time.sleep(5)  # another look is under way
        raise AssertionError("it never had its turn")

    def gates(self, rollout):
        """Runs that ask about *rollout*, newest first."""
        wanted = {"flow_runs": {"tags": {"all_": [f"rollout:{rollout}"]}}, "sort": "START_TIME_DESC"}
        return self.post("/flow_runs/filter", wanted)

    def asleep(self, run, answers):
        """Wait until the form after *answers* answers is there."""
        key = f"answer-{answers}"
        self.until(run, lambda state: state["name"] == "Suspended" and state["state_details"]["pause_key"] == key)
        self.input(run, f"suspended-{key}-schema")
        return run

    def until(self, run, reached, seconds=400):
        deadline = time.monotonic() + seconds
        while not reached(state := self.get(f"/flow_runs/{run}")["state"]):
            assert state["type"] not in ("FAILED", "CRASHED"), state
            assert time.monotonic() < deadline, state
            time.sleep(0.5)
        return state

    def input(self, run, key):
        deadline = time.monotonic() + 120
        while not (found := self.post(f"/flow_runs/{run}/input/filter", {"prefix": key})):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return found[0]["value"]

    def answer(self, run, **given):
        answered = self.post(f"/flow_runs/{run}/resume", {"run_input": given})
        return answered["status"], str(answered["details"])


def a_version(name):
    return ModelVersion(
        model=MODEL,
        version=name,
        task="binary",
        target="left",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="xgboost",
        metrics={"auc": 0.8},
        data=TrainingData(rows=9000, start=None, end=None, source="table", fingerprint="f" * 64, new_rows=1200),
        artifact_digest="0" * 64,
        parity=9e-13,
        created_at=datetime.now(UTC),
        actor="test",
        reason="test",
    )


def who():
    return {"actor": "test", "reason": "a test", "at": datetime.now(UTC)}


def processes_of(place, run):
    """Live processes that execute *run*."""
    found = []
    for one in place.processes():
        with contextlib.suppress(psutil.Error):
            if run in " ".join([*one.cmdline(), one.environ().get("PREFECT__FLOW_RUN_ID", "")]):
                found.append(one)
    return found


def assert_sleeps_without_a_process(place, run):
    deadline = time.monotonic() + 60  # the one that fell asleep tidies up
    while left := processes_of(place, run):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def begin(place, registry, version):
    done = place.run("rollout", "start", MODEL, version, "--reason", "a better one", seconds=60)
    assert done.returncode == 0, done.stderr
    return registry.active_rollout(MODEL)


def form_of(server, rollout):
    """Let the flow look, and wait for the form that it makes."""
    server.look()
    runs = server.gates(rollout.id)
    assert len(runs) == 1, runs
    return server.asleep(runs[0]["id"], 0)


def test_two_people_sign_in_the_form_and_the_first_caller_is_answered(place, registry, server):
    rollout = begin(place, registry, "v1.1.0")
    run = form_of(server, rollout)

    assert rollout.status == "waiting_approval"
    assert_sleeps_without_a_process(place, run)
    schema = server.input(run, "suspended-answer-0-schema")
    assert all(title in schema for title in ("Your name", "Role", "Decision", "Reason", "business_owner"))
    page = server.post("/artifacts/filter", {"artifacts": {"key": {"any_": ["approval-gated"]}}})[0]["data"]
    assert sum(page.count(f"**: {answer}. ") for answer in ("yes", "no", "not known")) == 11
    assert "parity 9e-13" in page

    for wrong in (
        {"name": "ann", "role": "ml_lead", "decision": "yes", "reason": "ok"},
        {"name": "ann", "role": "king", **YES},
        {"name": "a", "role": "ml_lead", **YES},
        {"name": "ann", "role": "ml_lead", "decision": "perhaps", "reason": "read the report"},
        {"name": "ann", "role": "ml_lead", **YES, "colour": "red"},
        {},
    ):
        assert server.answer(run, **wrong)[0] == "REJECT", wrong
    assert server.answer(run, name="ann", role="ml_lead", **YES)[0] == "ACCEPT"
    server.asleep(run, 1)
    assert registry.gate(rollout.id).missing == ("business_owner",)

    assert place.kill("worker", "start") >= 1  # whatever dies while people think
    assert server.answer(run, name="Ann ", role="business_owner", **YES)[0] == "ACCEPT"
    server.asleep(run, 2)
    assert "already agreed as ml_lead" in server.input(run, "suspended-answer-2-description")
    assert registry.gate(rollout.id).missing == ("business_owner",)

    began = time.monotonic()
    assert server.answer(run, name="bob", role="business_owner", **YES)[0] == "ACCEPT"
    ended = server.until(run, lambda state: state["type"] == "COMPLETED")
    moved = registry.rollout(rollout.id)

    print(f"from the second sign-off to the first step: {time.monotonic() - began:.1f} s")
    assert (moved.status, moved.step, registry.plan(MODEL).weight_of("challenger")) == ("running", 0, 100_000)
    assert "Everybody has agreed" in ended["message"]
    assert [one["actor"] for one in registry.approvals(rollout.id)] == ["ann", "bob"]
    assert len(registry.audit(MODEL, action="approval.refused")) == 1
    assert registry.verify_audit() == []
    assert place.run("rollout", "abort", MODEL, "--reason", "enough seen", seconds=60).returncode == 0


def test_a_form_that_was_answered_elsewhere_or_asks_for_something_old_is_ended(place, registry, server):
    rollout = begin(place, registry, "v1.2.0")
    first = form_of(server, rollout)
    changed = msgspec.structs.replace(rollout, revision=rollout.revision + 1, strategy="ab")
    registry.move_rollout(changed, actor="test", reason="other steps", at=datetime.now(UTC))
    server.look()

    ended = server.get(f"/flow_runs/{first}")["state"]
    assert (ended["type"], "people are asked again" in ended["message"]) == ("CANCELLED", True)
    second = next(run["id"] for run in server.gates(rollout.id) if run["id"] != first)
    server.asleep(second, 0)

    for person, role in (("ann", "ml_lead"), ("bob", "business_owner")):
        words = ("approve", MODEL, "--role", role, "--actor", person, "--reason", "read the report")
        assert place.run(*words, seconds=60).returncode == 0
    server.look()

    ended = server.get(f"/flow_runs/{second}")["state"]
    assert ended["type"] == "CANCELLED"
    assert registry.rollout(rollout.id).step == 0
    assert len(server.gates(rollout.id)) == 2
    assert place.run("rollout", "abort", MODEL, "--reason", "enough seen", seconds=60).returncode == 0


def test_a_no_in_the_form_ends_the_rollout(place, registry, server):
    rollout = begin(place, registry, "v1.3.0")
    run = form_of(server, rollout)

    answer = {"name": "bob", "role": "business_owner", "decision": "no", "reason": "not before the holidays"}
    assert server.answer(run, **answer)[0] == "ACCEPT"
    server.until(run, lambda state: state["type"] == "COMPLETED")

    ended = registry.rollout(rollout.id)
    assert (ended.status, ended.said) == ("aborted", "bob said no as business_owner: not before the holidays")
    assert registry.champion(MODEL).version == "v1.0.0"
    empty = place.run("approve", MODEL, "--show", seconds=60)
    assert "no active rollout" in empty.stderr
    gate = page_of(server, "approval")
    assert "bob said no as business_owner: not before the holidays" in gate["description"]
    assert "has not signed" not in gate["data"]


def page_of(server, kind):
    """The newest page of this model."""
    wanted = {"artifacts": {"key": {"any_": [f"{kind}-{MODEL}"]}}}
    found = server.post("/artifacts/latest/filter", wanted)
    return found[0] if found else {"data": "", "description": ""}


def seconds_until(reached):
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < 240
        time.sleep(0.2)
    return time.monotonic() - began


def test_a_look_follows_at_once_what_people_do_by_http_and_by_command(place, registry, server, settings):
    rollout = begin(place, registry, "v1.5.0")
    took = {"start, by command": seconds_until(lambda: server.gates(rollout.id))}
    server.asleep(server.gates(rollout.id)[0]["id"], 0)
    headers = {"authorization": f"Bearer {settings.token()}"}
    admin = f"http://127.0.0.1:{settings.admin_port}/v1/models/{MODEL}"

    def say(path, **words):
        body = {"reason": "read the report", "actor": "ann"} | words
        httpx.post(f"{admin}/{path}", json=body, headers=headers, timeout=30, trust_env=False).raise_for_status()

    def told():
        return is_told(page_of(server, "rollout")["data"], registry.rollout(rollout.id))

    say("approvals", role="ml_lead", decision="approve")
    say("approvals", role="business_owner", decision="approve", actor="bob")
    took["both agreed, by HTTP"] = seconds_until(lambda: registry.rollout(rollout.id).step == 0)
    seconds_until(told)
    for verb in ("advance", "pause", "resume"):
        say(verb)
        took[f"{verb}, by HTTP"] = seconds_until(told)
    began = time.monotonic()
    assert place.run("rollout", "abort", MODEL, "--reason", "enough seen", seconds=60).returncode == 0
    seconds_until(told)
    took["abort, by command"] = time.monotonic() - began
    seconds_until(lambda: "is aborted" in page_of(server, "approval")["description"])

    print("seconds until a look has followed:", {what: round(seconds, 1) for what, seconds in took.items()})
    assert max(took.values()) < 120, "the schedule alone would take up to 300 s"


@pytest.mark.long
def test_a_run_that_is_killed_while_it_takes_an_answer_takes_it_up_again(place, registry, server, prefect):
    rollout = begin(place, registry, "v1.4.0")
    run = form_of(server, rollout)
    assert server.answer(run, name="ann", role="ml_lead", **YES)[0] == "ACCEPT"
    kill_soon(place, run)
    deadline = time.monotonic() + 120
    while (state := server.get(f"/flow_runs/{run}")["state"])["type"] not in ("CRASHED", "FAILED"):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)

    server.look()
    server.asleep(run, 1)
    assert [one["actor"] for one in registry.approvals(rollout.id)] == ["ann"]
    assert len(server.gates(rollout.id)) == 1

    assert not _lost_its_form(prefect, long_ago(prefect, run))
    prefect.delete_flow_run_input(run, "suspended-answer-1-schema")
    assert _lost_its_form(prefect, long_ago(prefect, run))
    server.look()
    again = server.gates(rollout.id)
    assert [one["state"]["type"] for one in again if one["id"] == run] == ["CANCELLED"]


def kill_soon(place, run):
    """Kill the process of *run* as soon as there is one."""
    deadline = time.monotonic() + 60
    while not (found := processes_of(place, run)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for one in found:
        one.kill()


def long_ago(prefect, run):
    """As it is, but since hours."""
    found = prefect.read_flow_run(run)
    found.state.timestamp -= timedelta(hours=1)
    return found
