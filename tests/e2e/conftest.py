"""What tests of a running system share."""

import pytest
from e2e_commands import Place

from registry.home import Settings


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A system of the module's own; nothing of it is left afterwards."""
    place = Place.under(tmp_path_factory.mktemp("place"))
    done = place.run("up", seconds=300)
    assert done.returncode == 0, done.stderr
    yield place
    place.run("down", seconds=120)
    assert place.processes() == []


@pytest.fixture(scope="module")
def settings(place):
    names = {
        name: int(place.env[f"UNDERSTUDY_{name.upper()}"]) for name in ("router_port", "admin_port", "prefect_port")
    }
    return Settings(home=place.home, **names)


@pytest.fixture(scope="module")
def prefect(settings):
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: settings.prefect_api_url}), get_client(sync_client=True) as client:
        yield client
