"""Rules of a running system: late and failed runs are told, alarms end in a report, paces and prices are kept."""

import json
import signal
import time
from datetime import UTC, datetime

import pytest
from rollout_story import people
from system_story import HUGE, asked, churn, churn_table, commanded, configured, days_ago, ended, priced, prices, send
from waiting import until

from flows.client import RouterClient
from flows.detection.schedules import LOOKS, RETRAININGS, slug
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
CALM, FAILING, PRICES = "calm", "failing", "prices"
WEEKLY = "retrain/retrain-weekly"


@pytest.fixture(scope="module")
def told():
    with people() as heard:
        yield heard


@pytest.fixture(scope="module")
def registry(settings):
    with Registry.open(settings.registry_url) as registry:
        yield registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def calm(place, folder, told):
    """A champion of ten days ago that still does what it did; answers how to change its section `schedule`."""
    churn_table(3000, 1, days_ago(10)).write_parquet(folder / "calm.parquet")

    def schedule(**section):
        sections = {"schedule": section, "notify": {"urls": told.urls[:1]}}
        configured(place, folder, churn(CALM, folder / "calm.parquet", **sections))

    schedule()
    commanded(place, ("train", CALM, "--as-of", days_ago(10).isoformat()))
    return schedule


@pytest.fixture(scope="module")
def failing(place, folder, settings):
    """A champion in service that has begun to be wrong."""
    churn_table(3000, 1, days_ago(2)).write_parquet(folder / "failing.parquet")
    configured(place, folder, churn(FAILING, folder / "failing.parquet"))
    commanded(place, ("train", FAILING, "--as-of", days_ago(2).isoformat()))
    with RouterClient(settings) as client:
        client.wait_for_epoch(FAILING, 1, timeout=60)
        send(client, FAILING, churn_table(1000, 2, days_ago(0.3)), "a")
        send(client, FAILING, churn_table(300, 3, days_ago(0.01), sign=-1.0), "b")


@pytest.fixture(scope="module")
def canary(place, folder, settings, told):
    """A rollout that has half of the callers."""
    *files, holdout = priced(folder)
    configured(place, folder, prices(PRICES, told.urls[:1]))
    publish = [("models", "publish", PRICES, file, "--data", holdout, "--actor", "cleo") for file in files]
    commanded(place, *publish, ("promote", PRICES, "v1.0.0", "--reason", "the first one", "--actor", "cleo"))
    commanded(place, ("promote", PRICES, "v1.1.0", "--reason", "looks at bills", "--actor", "cleo"))


def shown(prefect, name, model):
    """Cron lines that a deployment has for a model alone."""
    return [one.schedule.cron for one in prefect.read_deployment_by_name(name).schedules if one.slug == slug(model)]


def heard(told, title, seconds):
    """Seconds until people heard of it by HTTP."""
    began = time.monotonic()
    until(lambda: title in told.titles(), seconds)
    return time.monotonic() - began


def test_a_run_that_a_hung_worker_leaves_is_late_and_people_hear_of_it(place, prefect, registry, calm, told):
    workers = place.processes("worker", "start")
    for one in workers:
        one.send_signal(signal.SIGSTOP)
    try:
        run, since = asked(prefect, "monitor/monitor-on-demand", {"model": CALM}), time.monotonic()
        until(lambda: prefect.read_flow_run(run).state_name == "Late", 120)
        late = time.monotonic() - since
    finally:
        for one in workers:
            one.send_signal(signal.SIGCONT)
    after = heard(told, f"{CALM}: a run of monitor is late", 120)
    print(f"Late after {late:.0f} s; told {after:.0f} s after the worker went on")

    (notice,) = [one for one in registry.notices(CALM) if one.kind == "run.late"]
    assert notice.key.startswith("run.late:monitor-on-demand:calm:")
    assert ended(prefect, run).is_completed()


def test_a_form_that_was_refused_leaves_room_for_the_alert_of_a_fault(prefect, calm, told):
    refused = asked(prefect, "promote/promote-on-demand", {"model": "stranger"})
    assert ended(prefect, refused).is_failed()
    booked = asked(prefect, "promote/promote-on-demand", {"model": CALM, "version": "v9.9.9"}, tags=["booked"])
    assert ended(prefect, booked).is_failed()
    after = heard(told, f"{CALM}: a run of promote failed", 120)
    print(f"told {after:.0f} s after the failure")

    assert not any("stranger" in json.dumps(one) for one in told.posts)


def test_a_retraining_beyond_the_budget_is_left_out_and_run_event_and_events_say_so(place, prefect, registry, calm):
    calm(budget="1s")

    state = ended(prefect, asked(prefect, WEEKLY, {"model": CALM, "trigger": "schedule"}))

    event = registry.retraining_events(CALM)[0]
    print(state.message)
    assert "processor seconds are expected; the budget of seven days is 1" in state.message
    assert f"{CALM}: {event.notes}" == state.message
    assert (event.execution_attempted, event.completed_at is not None) == (False, True)
    assert event.notes in json.dumps(json.loads(commanded(place, ("events", "list", CALM, "--json"))))


def test_a_gain_below_its_price_is_left_out_and_run_event_and_audit_trail_say_so(
    place, prefect, registry, calm, folder
):
    calm(cost_per_hour=3600, value_per_point=0.01)
    churn_table(1000, 5, days_ago(1)).write_parquet(folder / "looked-at.parquet")
    look = asked(prefect, "monitor/monitor-on-demand", {"model": CALM, "table": str(folder / "looked-at.parquet")})
    assert ended(prefect, look).is_completed()

    state = ended(prefect, asked(prefect, WEEKLY, {"model": CALM, "trigger": "schedule"}))

    entry = registry.audit(CALM, action="retraining.left_out")[0]
    print(state.message)
    assert "of the loss is worth" in state.message
    assert entry.after["worth"] < entry.after["price"]
    assert 0 <= entry.after["gain_percent"] <= 100
    assert entry.reason in commanded(place, ("audit", "list", CALM, "--json"))


def test_a_look_at_a_failing_champion_sets_its_schedules_and_the_audit_trail_says_from_what_to_what(
    place, prefect, registry, failing
):
    before = shown(prefect, RETRAININGS, FAILING), shown(prefect, LOOKS, FAILING)

    assert ended(prefect, asked(prefect, "monitor/monitor-on-demand", {"model": FAILING})).is_completed()

    after = shown(prefect, RETRAININGS, FAILING), shown(prefect, LOOKS, FAILING)
    listed = commanded(place, ("audit", "list", FAILING, "--json"))
    (entry,) = registry.audit(FAILING, action="schedule.changed")
    print(before, after, entry.before, entry.after, entry.reason, sep="\n")
    assert (before, after[0]) == (([], []), ["0 3 * * *"])
    assert (entry.before["retrain"], entry.after["retrain"]) == ("1w", "1d")
    assert [entry.after["look_cron"]] == after[1]
    assert "schedule.changed" in listed


def test_an_alarm_of_the_router_ends_in_a_rollback_a_notice_and_a_report_in_prefect(
    prefect, registry, settings, canary, told
):
    with RouterClient(settings) as client:
        alarmed = spoilt(client)
        incident = until(lambda: next(iter(registry.incidents(PRICES)), None), 60)
        durable = time.time() - alarmed
    key = f"incident-{PRICES}-{incident.id}"
    until(lambda: key in [one.key for one in prefect.read_artifacts(limit=200)], 180)
    written = time.time() - alarmed
    until(lambda: f"{PRICES}: v1.1.0 was rolled back" in told.titles(), 120)
    print(f"durable {durable:.1f} s, report {written:.1f} s, told {time.time() - alarmed:.1f} s after the alarm")

    assert (incident.kind, incident.version, incident.restored) == ("guard", "v1.1.0", "v1.0.0")
    assert registry.rollouts(PRICES)[0].status == "rolled_back"
    assert {one.version: one.stage for one in registry.versions(PRICES)}["v1.0.0"] == "production"
    assert written < 120


def spoilt(client):
    """Ask what the challenger cannot answer until nobody is sent to it any more; returns when that was."""
    for number in range(2000):
        question = {"id": f"q{number}", "key": f"k{number}", "features": {"calls": 1.0, "bills": HUGE}}
        (answer,) = client.predict(PRICES, [question])
        if answer["reason"] == "stopped":
            return datetime.now(UTC).timestamp()
        time.sleep(0.005)
    raise AssertionError("nobody took it off")
