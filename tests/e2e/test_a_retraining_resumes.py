"""Retrainings run by Prefect's worker: one is killed and goes on, one is cancelled, a second one is kept out."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import psutil
import pytest
import yaml
from waiting import until

from flows.training.politeness import POLITENESS, THREADS
from flows.training.scratch import Scratch
from registry.records.retraining import RetrainingEvent
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
TRIALS, ROWS, COLUMNS = 25, 30_000, 12


def configuration(model, source):
    return {
        "model": model,
        "task": "binary",
        "target": "y",
        "features": {"numeric": [f"x{n}" for n in range(COLUMNS)], "categorical": []},
        "data": {"time": "at", "source": str(source)},
        "training": {"trials": TRIALS, "families": ["xgboost"], "window": None, "pruning": False},
        "validation": {"latency_ms": 2000.0},  # tests run beside others
    }


def table():
    dice = np.random.default_rng(5)
    x = dice.normal(size=(ROWS, COLUMNS))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + dice.normal(size=ROWS) > 0).astype(int)
    at = (datetime.now(UTC) - timedelta(days=1)).timestamp() - 60.0 * np.arange(ROWS)[::-1]
    return pl.DataFrame({f"x{n}": x[:, n] for n in range(COLUMNS)} | {"at": at, "y": y})


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "first.parquet"
    table().write_parquet(path)
    return path


@pytest.fixture
def asked(place, settings, source, tmp_path):
    """Register a model with its table and an event that asks for a retraining; returns the event's id."""

    def ask(model):
        file = tmp_path / f"{model}.yaml"
        file.write_text(yaml.safe_dump(configuration(model, source)))
        assert place.run("init", str(file), seconds=60).returncode == 0
        now = datetime.now(UTC)
        with Registry.open(settings.registry_url) as registry:
            event = RetrainingEvent(
                id=registry.next_event_id(now),
                model=model,
                trigger_type="drift",
                severity="HIGH",
                drift_type="data",
                trigger_reason="a test",
                triggered_at=now,
            )
            registry.add_retraining_event(event)
        return event.id

    return ask


def started(prefect, model, event_id):
    deployment = prefect.read_deployment_by_name("retrain/retrain-on-demand")
    run = prefect.create_flow_run_from_deployment(
        deployment.id, parameters={"model": model, "event_id": event_id, "trigger": "drift"}
    )
    return run.id


def ended(prefect, run, seconds=300):
    return until(lambda: state if (state := prefect.read_flow_run(run).state).is_final() else None, seconds)


def trials(settings, event_id):
    """Numbers of finished trials, as they were written down."""
    files = Scratch.of(settings, event_id).journal.glob("xgboost-*.jsonl")
    lines = [line for file in files for line in file.read_text().splitlines() if line]
    return [json.loads(line)["number"] for line in lines if line.startswith("{") and line.endswith("}")]


def flow_processes(place, run):
    return [one for one in place.processes() if one.environ().get("PREFECT__FLOW_RUN_ID") == str(run)]


def trial_times(settings, event_id, seen):
    """Remember the journal while it is there: it goes with the end of the retraining."""
    found = trials(settings, event_id)
    if len(found) > len(seen):
        seen[:] = found


def taken_up(prefect, run):
    """The run that Prefect's server starts by itself for the work of a crashed one."""
    runs = prefect.read_flow_runs(limit=200)
    return next((one.id for one in runs if f"taken-up-from:{run}" in one.tags), None)


def kill_workers(place):
    for one in place.processes():
        if "worker" in one.cmdline() and "prefect" in one.cmdline():
            one.kill()


@pytest.mark.long
@pytest.mark.parametrize("worker_too", [False, True])
def test_whoever_dies_the_work_is_found_and_ended_by_one_version(place, settings, prefect, asked, worker_too):
    model = f"both_{worker_too}".lower()
    event_id = asked(model)
    run = started(prefect, model, event_id)
    until(lambda: len(trials(settings, event_id)) >= 2, 120)
    (process,) = flow_processes(place, run)
    kill_workers(place)
    if worker_too:
        process.kill()
        assert ended(prefect, run, 240).is_crashed()
        run = until(lambda: taken_up(prefect, run), 120)

    assert ended(prefect, run, 400).is_completed()
    with Registry.open(settings.registry_url) as registry:
        assert [one.version for one in registry.versions(model)] == ["v1.0.0"]
        assert len(registry.retraining_events(model)) == 1


def test_after_kill_9_the_same_event_goes_on_by_itself_without_repeating_a_trial_and_makes_one_version(
    place, settings, prefect, asked
):
    event_id = asked("killed")
    run = started(prefect, "killed", event_id)
    until(lambda: len(trials(settings, event_id)) >= 4, 120)
    (process,) = flow_processes(place, run)
    polite = (process.nice(), process.ionice().ioclass, {name: process.environ().get(name) for name in THREADS})
    process.kill()
    process.wait(10)
    before = trials(settings, event_id)
    ended(prefect, run)

    seen = list(before)
    again = until(lambda: taken_up(prefect, run), 120)
    until(lambda: (trial_times(settings, event_id, seen), prefect.read_flow_run(again).state.is_final())[1], 300)

    with Registry.open(settings.registry_url) as registry:
        versions, event = registry.versions("killed"), registry.retraining_event(event_id)
        champion = registry.champion("killed")
    assert prefect.read_flow_run(again).state.is_completed()
    assert 4 <= len(before) < TRIALS
    assert seen[: len(before)] == before
    assert sorted(seen) == list(range(TRIALS))
    assert (event.execution_successful, event.notes) == (True, "v1.0.0 is the first champion of killed.")
    assert [one.version for one in versions] == ["v1.0.0"] == [champion.version]
    assert not Scratch.of(settings, event_id).folder.exists()
    assert polite == (POLITENESS, psutil.IOPRIO_CLASS_IDLE, THREADS)


def test_a_cancelled_run_leaves_nothing_behind_and_the_event_says_so(place, settings, prefect, asked):
    from prefect.states import Cancelling

    event_id = asked("cancelled")
    run = started(prefect, "cancelled", event_id)
    until(lambda: len(trials(settings, event_id)) >= 2, 120)
    prefect.set_flow_run_state(run, Cancelling())

    state = ended(prefect, run, 60)
    until(lambda: not flow_processes(place, run), 30)
    with Registry.open(settings.registry_url) as registry:
        event, versions = registry.retraining_event(event_id), registry.versions("cancelled")
    assert state.is_cancelled()
    assert event.notes.startswith("Cancelled: ")
    assert (event.execution_successful, event.completed_at is not None, versions) == (False, True, [])
    assert not Scratch.of(settings, event_id).folder.exists()
    assert not list(settings.models_dir.glob("models/cancelled/*"))


def test_a_second_retraining_of_a_model_is_kept_out_and_told_by_whom(place, settings, prefect, asked):
    event_id = asked("busy")
    run = started(prefect, "busy", event_id)
    until(lambda: len(trials(settings, event_id)) >= 1, 120)

    second = place.run("train", "busy", "--json", seconds=120)

    told = json.loads(second.stdout)
    with Registry.open(settings.registry_url) as registry:
        other = registry.retraining_event(told["event_id"])
    assert (second.returncode, told["outcome"]) == (1, "refused")
    assert event_id in told["said"]
    assert "retrains it already" in told["said"]
    assert (other.execution_attempted, other.completed_at is not None) == (False, True)
    assert ended(prefect, run).is_completed()
    with Registry.open(settings.registry_url) as registry:
        assert len(registry.versions("busy")) == 1
