"""A champion that fails, looked at by Prefect's worker: one retraining follows, and one extra look."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import yaml
from system_story import churn
from waiting import until

from flows.client import RouterClient
from flows.detection.booking import DEPLOYMENT, book, tag
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
START = datetime.now(UTC) - timedelta(days=3)


def table(rows, seed, since, sign=1.0):
    """One row a minute; `y` follows `x`, or its opposite."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=rows)
    at = since.timestamp() + 60.0 * np.arange(rows)
    return pl.DataFrame({"x": x, "at": at, "y": (sign * x + dice.normal(0, 0.5, rows) > 0).astype(int)})


@pytest.fixture(scope="module")
def failing(place, settings, tmp_path_factory):
    """A champion in service, a thousand rows that it knows, three hundred that it gets wrong."""
    folder = tmp_path_factory.mktemp("tables")
    table(2000, 1, START).write_parquet(folder / "first.parquet")
    (folder / "churn.yaml").write_text(yaml.safe_dump(churn("churn", folder / "first.parquet")))
    later = START + timedelta(minutes=2000)  # longer ago than the cool-down after the first training
    for words in (("init", str(folder / "churn.yaml")), ("train", "churn", "--as-of", later.isoformat())):
        done = place.run(*words, seconds=180)
        assert done.returncode == 0, done.stderr
    rows = pl.concat([table(1000, 2, later), table(300, 3, later + timedelta(minutes=1000), sign=-1.0)])
    with RouterClient(settings) as client:
        send(client, rows)
    return rows


def send(client, rows):
    client.wait_for_epoch("churn", 1, timeout=60)
    for part in rows.with_row_index("n").iter_slices(100):
        asked = [
            {"id": f"p{row['n']}", "key": str(row["n"]), "time": row["at"], "features": {"x": row["x"]}}
            for row in part.iter_rows(named=True)
        ]
        client.predict("churn", asked)
        client.send_outcomes(
            "churn", [{"prediction_id": f"p{n}", "value": float(y)} for n, y in part.select("n", "y").rows()]
        )
    client.sync("churn")


def looked(prefect, **parameters):
    """Run the deployment as people do by hand, and wait for its end."""
    deployment = prefect.read_deployment_by_name(DEPLOYMENT)
    run = prefect.create_flow_run_from_deployment(deployment.id, parameters={"model": "churn", **parameters})
    return until(lambda: state if (state := prefect.read_flow_run(run.id).state).is_final() else None, 180)


def runs_of(prefect, name):
    deployment = prefect.read_deployment_by_name(name)
    return [run for run in prefect.read_flow_runs(limit=200) if run.deployment_id == deployment.id]


def test_one_look_starts_one_retraining_and_a_second_look_none(prefect, settings, failing):
    assert looked(prefect).is_completed()
    (run,) = until(lambda: runs_of(prefect, "retrain/retrain-on-demand"), 60)
    ended = until(lambda: state if (state := prefect.read_flow_run(run.id).state).is_final() else None, 240)
    assert looked(prefect).is_completed()
    time.sleep(5)

    with Registry.open(settings.registry_url) as registry:
        event, initial = registry.retraining_events("churn")
        second, first = registry.drift_reports("churn")
    assert (ended.is_completed(), initial.trigger_type) == (True, "initial")
    assert [one.id for one in runs_of(prefect, "retrain/retrain-on-demand")] == [run.id]
    assert run.parameters["event_id"] == event.id == first["event_id"]
    assert (event.execution_attempted, event.completed_at is not None) == (True, True)
    assert (second["event_id"], second["held_back"] is not None) == (None, True)


def test_the_two_looks_have_booked_one_extra_look(prefect, settings, failing):
    with Registry.open(settings.registry_url) as registry:
        first = registry.drift_reports("churn")[-1]
        (paced,) = registry.audit("churn", action="cadence.changed")
    booked = [run for run in runs_of(prefect, DEPLOYMENT) if tag("churn") in run.tags]

    (run,) = booked
    gap = run.expected_start_time - datetime.fromisoformat(first["at"])
    assert run.state.is_scheduled()
    assert timedelta(hours=1) <= gap <= timedelta(hours=3)
    assert paced.before["next_check"] == "6h"


def test_a_table_is_looked_at_in_place_of_the_log(prefect, settings, failing, tmp_path):
    failing.head(1000).write_parquet(tmp_path / "calm.parquet")

    assert looked(prefect, table=str(tmp_path / "calm.parquet")).is_completed()
    with Registry.open(settings.registry_url) as registry:
        look = registry.drift_reports("churn", limit=1)[0]
    assert look["drift"]["rows"] == 1000
    assert look["decision"]["evidence"]["accuracy"] > 0.75


def test_an_earlier_extra_look_calls_off_a_later_one_and_a_later_one_adds_nothing(prefect):
    now = datetime.now(UTC)
    added = [book("other", now + timedelta(hours=hours), "a test") for hours in (3, 1, 1, 2)]

    runs = sorted(
        (run for run in runs_of(prefect, DEPLOYMENT) if tag("other") in run.tags), key=lambda run: run.created
    )
    assert added == [True, True, False, False]
    assert [run.state.type.value for run in runs] == ["CANCELLED", "SCHEDULED"]
