from importlib import import_module
from pathlib import Path

from flows.ops.environment import prefect_environment, process_environment, settings_environment
from registry.home import Settings


def test_nothing_phones_anywhere_and_the_page_stays_offline():
    environment = prefect_environment(Settings(), {})

    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["PREFECT_SERVER_UI_V2_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["BENTOML_DO_NOT_TRACK"] == "true"


def test_openmp_threads_sleep_and_the_worker_looks_often():
    environment = prefect_environment(Settings(), {})

    assert (environment["OMP_WAIT_POLICY"], environment["GOMP_SPINCOUNT"]) == ("PASSIVE", "0")
    assert environment["PREFECT_WORKER_QUERY_SECONDS"] == "2"
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_slots_of_runs_that_died_with_the_server_are_given_back():
    environment = prefect_environment(Settings(), {})
    named = environment["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"]

    assert environment["PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION"] == "60"
    assert hasattr(import_module(named), "ConcurrencyLeaseStorage")
    assert named.endswith(".filesystem")


def test_the_environment_wins_over_advice_but_not_over_the_state_folder():
    mine = {"PREFECT_WORKER_QUERY_SECONDS": "7", "PREFECT_HOME": "/somewhere/else"}

    environment = prefect_environment(Settings(home=Path("/srv/u")), mine)

    assert environment["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert environment["PREFECT_HOME"] == "/srv/u/prefect"


def test_a_child_in_another_folder_reads_the_same_settings(monkeypatch, tmp_path):
    ours = Settings(home=Path("state"), router_port=3100, router_workers=2, admin_token="t")
    for name, value in settings_environment(ours).items():
        monkeypatch.setenv(name, value)
    theirs = Settings()

    assert theirs.home == Path("state").absolute()
    assert theirs.model_dump(exclude={"home"}) == ours.model_dump(exclude={"home"})


def test_every_process_carries_the_mark_of_its_state_folder():
    assert process_environment(Settings(home=Path("/srv/u")), {})["UNDERSTUDY_SUPERVISED"] == "/srv/u"
