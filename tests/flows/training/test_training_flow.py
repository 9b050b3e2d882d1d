"""The flow against a temporary Prefect server, as slow as that is."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from training_making import NOW, make_config, make_frame

from flows.config.load import register_config
from flows.data.gather import Extracted
from flows.errors import DataError, Unreachable
from registry.errors import NotFound
from registry.store.registry import Registry

QUICK = make_config(training={"trials": 2, "min_rows": 200})

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("default"),  # Prefect's server and websockets warn of their own
]


@pytest.fixture
def rows(monkeypatch):
    """Answer for the router's log, which needs a running router."""
    from flows.training import retrain

    def answer(frame):
        found = Extracted(frame=frame, source="a test", version="")
        monkeypatch.setattr(retrain, "extract", lambda *_, **__: found)

    return answer


def artifacts_of(key):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))


def test_the_flow_installs_a_first_champion_and_shows_progress_and_card(prefect, settings, rows):
    from flows.training.retrain import retrain

    register_config(QUICK, settings)
    rows(make_frame(600))

    done = retrain("churn", trigger="initial", reason="start", actor="ann", as_of=NOW)

    (card,) = artifacts_of("retrain-churn")
    (progress,) = artifacts_of("retrain-progress-churn")
    with Registry.open(settings.registry_url) as registry:
        assert registry.champion("churn").version == done["churn"]["version"] == "v1.0.0"
    assert "is the first champion" in card.data
    assert "### Holdout" in card.data
    assert progress.data == 100.0


def test_wrong_data_fail_at_once_and_the_event_says_why(prefect, settings, rows):
    from flows.training.retrain import retrain

    register_config(QUICK, settings)
    rows(make_frame(50))

    with pytest.raises(DataError):
        retrain("churn", as_of=NOW)

    with Registry.open(settings.registry_url) as registry:
        assert registry.retraining_events("churn")[0].execution_successful is False


def test_without_a_model_every_registered_one_is_retrained(prefect, settings, rows):
    from flows.training.retrain import retrain

    register_config(QUICK, settings)
    rows(make_frame(600))

    assert retrain() == {}
    retrain("churn", as_of=NOW)

    assert retrain(as_of=NOW, trigger="schedule")["churn"]["version"] == "v1.0.1"


def test_a_model_that_is_not_registered_is_refused(prefect):
    from flows.training.retrain import retrain

    with pytest.raises(NotFound, match="no model 'nobody'"):
        retrain("nobody")


def test_a_moment_in_the_future_is_refused(prefect):
    from prefect.exceptions import ParameterTypeError

    from flows.training.retrain import retrain

    with pytest.raises(ParameterTypeError, match="in the future"):
        retrain("churn", as_of=datetime.now(UTC) + timedelta(days=2))


def test_a_time_limit_ends_the_run_as_timed_out(prefect, settings, monkeypatch):
    from flows.training import retrain as room
    from flows.training.retrain import retrain

    register_config(make_config(training={"trials": 2, "min_rows": 200, "time_limit": "1s"}), settings)
    monkeypatch.setattr(room, "extract", lambda *_, **__: time.sleep(60))

    state = retrain("churn", as_of=NOW, return_state=True)

    assert (state.name, state.is_failed()) == ("TimedOut", True)
    assert "time limit" in state.message


def test_a_step_is_tried_again_only_if_that_may_help(prefect):
    from prefect import flow

    from flows.training.retrain import as_task

    tried = []

    def unreachable():
        tried.append("unreachable")
        if len(tried) < 2:
            raise Unreachable("Nothing came.", "Nobody listens.", "Wait.")
        return 7

    def wrong():
        tried.append("wrong")
        raise DataError("Nothing came.", "It is wrong.", "Mend it.")

    @flow
    def both():
        assert as_task("read rows", unreachable, retries=3) == 7
        as_task("read rows", wrong, retries=3)

    with pytest.raises(DataError):
        both()
    assert tried == ["unreachable", "unreachable", "wrong"]
