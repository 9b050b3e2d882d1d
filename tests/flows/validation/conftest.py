"""A state folder with a registry in use, and a look for what is left behind."""

import time

import psutil
import pytest
from validation_making import processes_of

from registry.home import Settings


@pytest.fixture
def settings(tmp_path):
    """Afterwards nothing may be left of it but what was there."""
    found = Settings(home=tmp_path / "state").prepare()
    before = {*psutil.Process().children(recursive=True)}
    yield found
    assert {*psutil.Process().children(recursive=True)} - before == set()
    assert processes_of(found.home) == []
    assert list(found.run_dir.glob("validation-*")) == []


@pytest.fixture
def gone(settings):
    """Wait until no process of the state folder lives; the seconds that took."""

    def wait():
        began = time.monotonic()
        while processes_of(settings.home) and time.monotonic() < began + 10:
            time.sleep(0.05)
        return time.monotonic() - began

    return wait
