"""The flows against a temporary Prefect server, as slow as that is; the router is away."""

import pytest
from incident_making import START, Place, taken_back, watched

from flows.config.load import parse_config, register_config
from registry.errors import NotFound
from registry.home import Settings
from registry.store.registry import Registry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("default"),  # Prefect's server and websockets warn of their own
]


@pytest.fixture
def place(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_ADMIN_PORT", "9")  # where nobody listens
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry:
        register_config(
            parse_config(
                {"model": "churn", "task": "binary", "target": "left", "features": {"numeric": ["x"]}}, "test"
            ),
            settings,
        )
        yield Place(settings, registry)


def artifact(key):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))


def test_one_click_rolls_back_and_writes_it_up(prefect, place):
    from flows.rollout.rollback import rollback

    watched(place)

    done = rollback(as_of=START)

    assert (done["model"], done["champion"]) == ("churn", "v1.0.0")
    assert place.registry.incidents("churn")[0].actor == "prefect-ui"
    assert (place.settings.reports_dir / "incidents" / "i-0001.html").exists()
    assert "v1.1.0 was taken off by a person (prefect-ui)" in artifact("incident-churn-i-0001")[0].data
    with pytest.raises(NotFound, match="None of churn has a challenger or a former champion"):
        rollback()


def test_a_rollback_that_the_router_made_is_written_up_by_a_form_left_as_it_is(prefect, place):
    from flows.reports.incidents.flow import incident

    taken_back(place)

    paths = incident()

    assert [path.rsplit("/", 1)[1] for path in paths] == ["i-0001.html"]
    assert incident() == []


def test_a_watch_that_sees_nothing_goes_on_and_says_so(prefect, place):
    from flows.rollout.watch.flow import watch

    watched(place)

    assert watch()["churn"].startswith("hold: nothing could be seen")
    assert "v1.1.0 is being watched" in artifact("watch-churn")[0].data
    assert place.registry.watch("churn") is not None
    with pytest.raises(NotFound):
        watch(model="nobody")
