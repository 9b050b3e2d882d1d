"""What tests of a running system share."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from e2e_commands import Place

from registry.home import Settings

SHARING = ("test_forms_of_deployments", "test_a_rollout_end_to_end", "test_the_gate")
"""Modules that share one system, in this order, after all others: the first of them finds it empty."""


def pytest_collection_modifyitems(config, items):
    """Whoever shares a system comes last, so that it does not live beside others; long ones only where asked for."""
    if "long" not in (config.option.markexpr or ""):
        left_out = [item for item in items if _sharing(item) >= 0 and item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    items.sort(key=_sharing)


def _sharing(item):
    name = Path(item.fspath).stem
    return SHARING.index(name) if name in SHARING else -1


@pytest.fixture(scope="module")
def place(request, tmp_path_factory):
    """A system of the module's own, or the shared one; nothing of it is left afterwards."""
    if request.module.__name__ in SHARING:
        yield request.getfixturevalue("shared")
    else:
        with running(tmp_path_factory.mktemp("place")) as place:
            yield place


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """One system for all modules that are named in SHARING."""
    with running(tmp_path_factory.mktemp("shared")) as place:
        yield place


@contextlib.contextmanager
def running(folder):
    """Start a system, and stop it."""
    place = Place.under(folder)
    try:
        done = place.run("up", seconds=300)
        assert done.returncode == 0, done.stderr
        yield place
    finally:
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


@pytest.fixture(scope="session")
def shots():
    """Folder of all pictures: UNDERSTUDY_SCREENSHOTS; none are taken unless somebody wants to look at them."""
    named = os.environ.get("UNDERSTUDY_SCREENSHOTS")
    return Path(named) if named else None


@pytest.fixture(scope="module")
def pages(settings, shots):
    """Chromium on the system's Prefect pages; none of them may ask for anything beyond this machine."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("Chromium is not installed; apt-get install chromium")
    from playwright.sync_api import sync_playwright
    from prefect_pages import Pages

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1500})
        pages = Pages(page, settings.prefect_api_url.removesuffix("/api"), shots)
        yield pages
        browser.close()
    assert pages.outside == []
