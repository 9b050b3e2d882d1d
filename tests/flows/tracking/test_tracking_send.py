"""Sending: everything arrives, once, whenever the server answers."""

import fcntl
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from tracking_making import (
    ENTRIES,
    EVENT,
    EXPERIMENTS,
    NOON,
    a_config,
    a_look,
    a_version,
    all_runs,
    an_event,
    client_of,
    counts,
    furnish,
    note_everything,
    uri_of,
    with_store,
)

from flows.config.load import parse_config
from flows.errors import ConfigError
from flows.tracking import launch
from flows.tracking import send as sending
from flows.tracking.outbox import ATTEMPTS, Outbox
from flows.tracking.runs import Runs
from flows.tracking.send import send
from flows.tracking.store import VARIABLE, tracking_uri
from flows.tracking.tracker import Tracker


@pytest.fixture
def where(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    return with_store(furnish("v1.1.0"))


@pytest.fixture
def nowhere():
    """Address of a server that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


def only(runs, **tags):
    (found,) = [run for run in runs if tags.items() <= run.data.tags.items()]
    return found


def test_a_retraining_arrives_in_five_experiments_and_the_outbox_is_empty(where):
    wanted = note_everything(where)

    done = send(where, repeat=False)

    assert (done.sent, done.waiting, done.said) == (ENTRIES, 0, ())
    assert counts(client_of(where)) == wanted
    assert set(wanted) == set(EXPERIMENTS)


def test_a_version_arrives_with_parameters_metrics_baseline_data_signature_and_files(where):
    note_everything(where)
    send(where, repeat=False)

    client = client_of(where)
    run = only(all_runs(client)["retraining_pipeline"], version="v1.1.0", event_id=EVENT)
    files = {one.path for one in client.list_artifacts(run.info.run_id)}

    assert run.data.params["algorithm"] == "xgboost"
    assert run.data.params["eta"] == "0.1"
    assert (run.data.metrics["auc"], run.data.metrics["baseline.auc"]) == (0.8, 0.75)
    assert run.data.metrics["improvement_accuracy"] == 2.5
    assert run.data.tags["code_version"] == "0.1.0"
    assert run.inputs.dataset_inputs[0].dataset.source == "table.csv"
    assert files == {"card.md", "contract.json", "decision.json", "model"}
    model = Path(client.download_artifacts(run.info.run_id, "model"))
    assert '"name": "age"' in (model / "MLmodel").read_text()
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["artifact_digest"] == a_version("v1.1.0").artifact_digest


def test_a_look_arrives_with_its_evidence_and_the_drift_of_every_feature(where):
    note_everything(where)
    send(where, repeat=False)

    (run,) = all_runs(client_of(where))["drift_monitoring"]

    assert run.data.tags["causes"] == "age drifted"
    assert run.data.tags["severity"] == "HIGH"
    assert (run.data.metrics["rows"], run.data.metrics["drifted_features"], run.data.metrics["triggered"]) == (
        500,
        1,
        1,
    )
    assert (run.data.metrics["feature.age.psi"], run.data.metrics["feature.age.drifted"]) == (0.4, 1)


def test_every_trial_is_a_nested_run(where):
    note_everything(where, tried=6)
    send(where, repeat=False)

    runs = all_runs(client_of(where))["retraining_pipeline"]
    parent = only(runs, version="v1.1.0")
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]

    assert len(nested) == 6
    assert {run.info.status for run in nested} == {"FINISHED", "KILLED"}
    assert min(run.data.metrics["loss"] for run in nested if run.info.status == "FINISHED") == pytest.approx(0.296)


def test_what_asked_for_a_retraining_and_what_came_of_it_is_one_run(where):
    tracker = Tracker(where, a_config())
    tracker.note_look(a_look())
    send(where, repeat=False)
    (before,) = all_runs(client_of(where))["automated_retraining"]
    tracker.note_retraining(an_event(), a_version("v1.1.0"))
    send(where, repeat=False)
    (after,) = all_runs(client_of(where))["automated_retraining"]

    assert (before.info.status, after.info.status) == ("RUNNING", "FINISHED")
    assert before.info.run_id == after.info.run_id
    assert after.data.metrics["max_psi"] == 0.4
    assert after.data.tags["outcome"] == "rollout"


@pytest.mark.parametrize("attempted", [True, False])
def test_a_retraining_that_failed_or_was_refused_arrives_too(where, attempted):
    event = an_event(execution_attempted=attempted, execution_successful=False, notes="DataError: no", **NOTHING)
    Tracker(where, a_config()).note_retraining(event)
    send(where, repeat=False)

    runs = all_runs(client_of(where))

    assert [run.info.status for run in runs["automated_retraining"]] == ["FAILED"]
    assert [run.data.tags["error"] for run in runs.get("retraining_pipeline", [])] == ["DataError: no"] * attempted


NOTHING = {"execution_metrics": {}, "retrained_version": None}


def test_while_the_server_is_away_everything_waits_and_arrives_once_when_it_is_back(where, nowhere, monkeypatch):
    monkeypatch.setenv(VARIABLE, nowhere)
    wanted = note_everything(where)
    began = time.monotonic()
    away = send(where)
    took = time.monotonic() - began
    monkeypatch.delenv(VARIABLE)
    back, again = send(where), send(where)

    assert (away.sent, away.waiting, away.aside) == (0, ENTRIES, 0)
    assert "Nothing was sent to MLflow at http://" in away.said[0]
    assert took < 20
    assert (back.sent, back.waiting, back.mirrored) == (ENTRIES, 0, ("churn",))
    assert again.sent == 0
    assert counts(client_of(where)) == wanted | {"retraining_pipeline": wanted["retraining_pipeline"] + 1}  # v1.0.0


def test_what_was_delivered_but_not_taken_out_of_the_outbox_is_found_there(where, monkeypatch):
    wanted = note_everything(where)
    monkeypatch.setattr(Outbox, "sent", lambda *_: None)
    send(where, repeat=False)
    send(where, repeat=False)

    assert counts(client_of(where)) == wanted


def test_noting_the_same_again_after_it_was_sent_makes_no_second_run(where):
    wanted = note_everything(where)
    send(where, repeat=False)
    note_everything(where)

    assert send(where, repeat=False).sent == ENTRIES
    assert counts(client_of(where)) == wanted


def test_of_two_runs_that_a_late_answer_has_left_one_stays(where):
    wanted = note_everything(where)
    send(where, repeat=False)
    client = client_of(where)
    first = only(all_runs(client)["model_comparison"], decision_id="d-1")
    twin = {name: first.data.tags[name] for name in ("understudy.entry", "understudy.origin")}
    client.create_run(first.info.experiment_id, 0, twin)
    note_everything(where)
    send(where, repeat=False)

    assert counts(client) == wanted
    assert only(all_runs(client)["model_comparison"], decision_id="d-1").info.run_id == first.info.run_id


def test_an_entry_that_the_store_refuses_does_not_hold_up_the_others(where, monkeypatch):
    deliver = Runs.deliver

    def fussy(self, entry, files):
        if entry.experiment == "model_comparison":
            raise ValueError("I do not like comparisons")
        return deliver(self, entry, files)

    monkeypatch.setattr(Runs, "deliver", fussy)
    note_everything(where)
    first = send(where, repeat=False)
    for _ in range(ATTEMPTS):
        last = send(where, repeat=False)
    monkeypatch.setattr(Runs, "deliver", deliver)
    Outbox(where).again()

    assert (first.sent, first.waiting) == (ENTRIES - 1, 1)
    assert "I do not like comparisons" in first.said[0]
    assert (last.waiting, last.aside) == (0, 1)
    assert send(where, repeat=False).sent == 1


def test_a_store_that_cannot_even_be_opened_is_away_like_any_other(where, tmp_path, monkeypatch):
    (tmp_path / "folder").write_text("a file where the folder of the store should be")
    note_everything(where)
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/folder/mlflow.db")
    away = send(where)

    assert (away.sent, away.waiting, away.aside) == (0, ENTRIES, 0)
    assert "Nothing was sent to MLflow at sqlite:///" in away.said[0]


def test_a_second_sender_leaves_the_work_to_the_first(where):
    note_everything(where)
    lock = where.home / "tracking" / "sending.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        busy = send(where)

    assert (busy.busy, busy.sent, busy.waiting) == (True, 0, ENTRIES)


def test_no_more_than_asked_for_is_sent_and_nothing_after_the_time_is_up(where):
    note_everything(where)

    assert send(where, limit=2, repeat=False).sent == 2
    assert send(where, timeout=-1.0).sent == 0
    assert send(where, repeat=False).sent == ENTRIES - 2


def test_two_state_folders_may_send_to_one_store(where, tmp_path, monkeypatch):
    wanted = note_everything(where)
    send(where)
    monkeypatch.setenv(VARIABLE, uri_of(where))
    monkeypatch.setenv("UNDERSTUDY_HOME", str(tmp_path / "other"))
    other = furnish("v1.1.0")
    note_everything(other)
    done = send(other)

    assert counts(client_of(where))["model_comparison"] == 2 * wanted["model_comparison"]
    assert "registered model 'churn' of other origin" in done.said[0]


def test_the_address_comes_from_the_configuration_then_the_environment_then_the_state_folder(where, monkeypatch):
    assert tracking_uri(where, None) == uri_of(where)
    monkeypatch.setenv(VARIABLE, "http://tracking:5000")
    assert tracking_uri(where, None) == "http://tracking:5000"
    assert tracking_uri(where, "https://own") == "https://own"


@pytest.mark.parametrize("uri", ["postgresql+psycopg://ann:secret@db/mlflow", "mlruns", "file:///tmp/mlruns"])
def test_an_address_that_mlflow_cannot_work_with_is_refused_with_the_mend_and_without_the_password(where, uri):
    with pytest.raises(ConfigError) as said:
        tracking_uri(where, uri)
    with pytest.raises(ConfigError) as early:
        parse_config(a_config().model_dump(mode="json") | {"tracking": {"uri": uri}}, "test")

    for refusal in (said.value, early.value):
        assert "http://..." in str(refusal)
        assert "secret" not in refusal.what + refusal.why.partition("given")[0]


@pytest.fixture
def background(where, monkeypatch):
    """Senders may start; none outlives the test."""
    monkeypatch.delenv(launch.VARIABLE)
    yield where
    lock = where.home / "tracking" / "sender.lock"
    with sending.alone(where, "sender.lock") as nobody:
        if not nobody:
            os.kill(int(lock.read_text()), signal.SIGKILL)


def test_a_sender_in_the_background_sends_what_waits_and_what_comes_soon_after(background):
    note_everything(background, tried=0)
    began = time.monotonic()
    started = launch.send_soon(background)
    took = time.monotonic() - began
    first = _sent(background, ENTRIES)
    Tracker(background, a_config()).note_look(a_look(NOON.replace(year=2027), event_id=None))
    again = launch.send_soon(background)

    assert started
    assert took < 1.0
    assert first == ENTRIES
    assert not again
    assert _sent(background, ENTRIES + 1) == ENTRIES + 1


def _sent(where, wanted):
    """Entries sent, once they are, or after a while."""
    until = time.monotonic() + 60
    while (sent := Outbox(where).stock().sent) < wanted and time.monotonic() < until:
        time.sleep(0.2)
    return sent


def test_nobody_tries_by_himself_for_a_minute_after_a_failure(where, nowhere, monkeypatch):
    monkeypatch.setenv(VARIABLE, nowhere)
    monkeypatch.delenv(launch.VARIABLE)
    note_everything(where)
    send(where)

    assert launch.send_soon(where) is False
    monkeypatch.setattr(sending, "PATIENCE", -1.0)
    send(where)
    monkeypatch.setattr(launch, "start", lambda *_: None)
    assert launch.send_soon(where) is True


def test_a_sender_that_cannot_be_started_costs_a_warning_only(where, monkeypatch, caplog):
    monkeypatch.delenv(launch.VARIABLE)
    note_everything(where)
    (where.home / "tracking" / "sender.log").mkdir()

    assert launch.send_soon(where) is False
    assert "no sender was started" in caplog.text


def test_noting_by_a_clock_of_another_time_is_fine(where):
    Tracker(where, a_config()).note_look(a_look(NOON.replace(year=1969), event_id=None))

    assert send(where, repeat=False).sent == 1
